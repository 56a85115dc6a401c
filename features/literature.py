"""What the short citations of measures and patterns mean in full. No citation is written out anywhere else."""

# Short citation, as the modules have it -> authors, title, journal, and what of it is used where that is not all; or, where
# nobody published how a figure comes about, whom to ask.
CITATIONS = {
    "Foretide": "Foretide's own definition, published nowhere else: the formula is all of it.",
    "the vendor": "The vendor's own figure. How the maker of the device computes it is not published and may change with the "
                  "version of the algorithm; the own past begins anew then.",
    "declared by the site": "A signal that the site declares under `signals:` in its foretide.yaml. What it measures, and how, is "
                            "for the site to say.",
    "AASM": "Iber C, Ancoli-Israel S, Chesson AL, Quan SF. The AASM Manual for the Scoring of Sleep and Associated Events. "
            "American Academy of Sleep Medicine, 2007.",
    "Ben-Dov 2007": "Ben-Dov IZ, Kark JD, Ben-Ishay D, Mekler J, Ben-Arie L, Bursztyn M. Blunted heart rate dip during sleep "
                    "and all-cause mortality. Archives of Internal Medicine 2007;167(19):2116-2121. Theirs goes by sleep, ours by the "
                    "clock.",
    "Chan 1983": "Chan TF, Golub GH, LeVeque RJ. Algorithms for computing the sample variance: analysis and recommendations. "
                 "The American Statistician 1983;37(3):242-247.",
    "Cornelissen 2014": "Cornelissen G. Cosinor-based rhythmometry. Theoretical Biology and Medical Modelling 2014;11:16.",
    "Dakos 2012": "Dakos V, Carpenter SR, Brock WA, et al. Methods for detecting early warnings of critical transitions in time "
                  "series illustrated using simulated ecological data. PLoS ONE 2012;7(7):e41010.",
    "Di 2017": "Di J, Leroux A, Urbanek J, et al. Patterns of sedentary and active time accumulation are associated with "
               "mortality in US adults: the NHANES study. bioRxiv 2017:182337.",
    "Fischer 2016": "Fischer D, Vetter C, Roenneberg T. A novel method to visualise and quantify circadian misalignment. "
                    "Scientific Reports 2016;6:38601.",
    "Jahng 2008": "Jahng S, Wood PK, Trull TJ. Analysis of affective instability in ecological momentary assessment: indices "
                  "using successive difference and group comparison via multilevel modeling. Psychological Methods "
                  "2008;13(4):354-375. Successive differences, and what they are by the time between answers.",
    "Kroenke 2001": "Kroenke K, Spitzer RL, Williams JBW. The PHQ-9: validity of a brief depression severity measure. Journal "
                    "of General Internal Medicine 2001;16(9):606-613.",
    "Kuppens 2010": "Kuppens P, Allen NB, Sheeber LB. Emotional inertia and psychological maladjustment. Psychological Science "
                    "2010;21(7):984-991.",
    "Ledoit and Wolf 2004": "Ledoit O, Wolf M. A well-conditioned estimator for large-dimensional covariance matrices. Journal "
                            "of Multivariate Analysis 2004;88(2):365-411.",
    "Leys 2013": "Leys C, Ley C, Klein O, Bernard P, Licata L. Detecting outliers: do not use standard deviation around the mean, "
                 "use absolute deviation around the median. Journal of Experimental Social Psychology 2013;49(4):764-766. Median "
                 "and MAD; how they are weighted is defined here.",
    "Mestdagh 2018": "Mestdagh M, Pe M, Pestman W, Verdonck S, Kuppens P, Tuerlinckx F. Sidelining the mean: the relative "
                     "variability index as a generic mean-corrected variability measure for bounded variables. Psychological "
                     "Methods 2018;23(4):690-707.",
    "Phillips 2017": "Phillips AJK, Clerx WM, O'Brien CS, et al. Irregular sleep/wake patterns are associated with poorer "
                     "academic performance and delayed circadian and sleep/wake timing. Scientific Reports 2017;7:3216.",
    "Radloff 1977": "Radloff LS. The CES-D scale: a self-report depression scale for research in the general population. "
                    "Applied Psychological Measurement 1977;1(3):385-401.",
    "Shannon 1948": "Shannon CE. A mathematical theory of communication. Bell System Technical Journal 1948;27:379-423, 623-656.",
    "Spielberger 1970": "Spielberger CD, Gorsuch RL, Lushene RE. Manual for the State-Trait Anxiety Inventory. Consulting "
                        "Psychologists Press, 1970. Form X, whose scale X-1 is of state anxiety.",
    "Spielberger 1983": "Spielberger CD, Gorsuch RL, Lushene R, Vagg PR, Jacobs GA. Manual for the State-Trait Anxiety Inventory "
                        "(Form Y). Consulting Psychologists Press, 1983. Which of its two scales was given is for the site to say.",
    "Spitzer 2006": "Spitzer RL, Kroenke K, Williams JBW, Löwe B. A brief measure for assessing generalized anxiety disorder: the "
                    "GAD-7. Archives of Internal Medicine 2006;166(10):1092-1097.",
    "Task Force 1996": "Task Force of the European Society of Cardiology and the North American Society of Pacing and "
                       "Electrophysiology. Heart rate variability: standards of measurement, physiological interpretation, "
                       "and clinical use. Circulation 1996;93(5):1043-1065.",
    "Troiano 2008": "Troiano RP, Berrigan D, Dodd KW, Masse LC, Tilert T, McDowell M. Physical activity in the United States "
                    "measured by accelerometer. Medicine and Science in Sports and Exercise 2008;40(1):181-188. A day counts from "
                    "10 hours on.",
    "Tudor-Locke 2018": "Tudor-Locke C, Han H, Aguiar EJ, et al. How fast is fast enough? Walking cadence (steps/min) as a "
                        "practical estimate of intensity in adults: a narrative review. British Journal of Sports Medicine "
                        "2018;52(12):776-788.",
    "Witting 1990": "Witting W, Kwa IH, Eikelenboom P, Mirmiran M, Swaab DF. Alterations in the circadian rest-activity rhythm "
                    "in aging and Alzheimer's disease. Biological Psychiatry 1990;27(6):563-572.",
    "Wittmann 2006": "Wittmann M, Dinich J, Merrow M, Roenneberg T. Social jetlag: misalignment of biological and social time. "
                     "Chronobiology International 2006;23(1-2):497-509.",
}  # fmt: skip


def cited(*sources: str) -> str:
    """Short citations as one text, each once: `AASM; Leys 2013`."""
    return "; ".join(dict.fromkeys(source for several in sources for source in several.split("; ") if source))


def in_full(source: str) -> str:
    """The full text of each short citation of a feature."""
    return " ".join(CITATIONS[short] for short in source.split("; "))
