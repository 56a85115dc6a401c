"""The literature behind the fairness report: each work cited once, by a short name."""

FAIRNESS: dict[str, str] = {
    "Austin & Steyerberg 2019": (
        "Austin PC, Steyerberg EW (2019). The Integrated Calibration Index (ICI) and related metrics for quantifying the "
        "calibration of logistic regression models. Statistics in Medicine 38:4051-4065."
    ),
    "Benjamini & Hochberg 1995": (
        "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and powerful approach to multiple "
        "testing. Journal of the Royal Statistical Society B 57:289-300."
    ),
    "Bird et al. 2020": (
        "Bird S, Dudík M, Edgar R, Horn B, Lutz R, Milan V, Sameki M, Wallach H, Walker K (2020). Fairlearn: a toolkit for "
        "assessing and improving fairness in AI. Microsoft technical report MSR-TR-2020-32."
    ),
    "Coley et al. 2021": (
        "Coley RY, Johnson E, Simon GE, Cruz M, Shortreed SM (2021). Racial/ethnic disparities in the performance of "
        "prediction models for death by suicide after mental health visits. JAMA Psychiatry 78:726-734."
    ),
    "Cox 1958": "Cox DR (1958). Two further applications of a model for binary regression. Biometrika 45:562-565.",
    "Efron & Tibshirani 1993": "Efron B, Tibshirani RJ (1993). An introduction to the bootstrap. Chapman & Hall.",
    "Field & Welsh 2007": (
        "Field CA, Welsh AH (2007). Bootstrapping clustered data. Journal of the Royal Statistical Society B 69:369-390."
    ),
    "Hardt et al. 2016": (
        "Hardt M, Price E, Srebro N (2016). Equality of opportunity in supervised learning. Advances in Neural Information "
        "Processing Systems 29."
    ),
    "Hesterberg 2015": (
        "Hesterberg TC (2015). What teachers should know about the bootstrap: resampling in the undergraduate statistics "
        "curriculum. The American Statistician 69:371-386."
    ),
    "Schuirmann 1987": (
        "Schuirmann DJ (1987). A comparison of the two one-sided tests procedure and the power approach for assessing the "
        "equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics 15:657-680."
    ),
}
