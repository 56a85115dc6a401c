"""The registered model as MLflow loads it (models from code): this file and a model folder, nothing pickled.

MLflow runs this file when somebody calls `mlflow.pyfunc.load_model`, in a notebook for instance. It holds no logic:
reading, hash verification and prediction are those of `models.risk`.
"""

from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

ARTIFACT = "model"


class RiskModel(PythonModel):
    """Rows of features in, one probability per horizon out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model folder; its hashes are verified before anything is parsed."""
        from models import risk

        self.model = risk.load(Path(context.artifacts[ARTIFACT]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, str] | None = None
    ) -> pd.DataFrame:
        """Risk within each horizon, columns `risk_<days>d`, in the order of the rows; missing features are NaN.

        Other columns than the model's features, subject ids for instance, are let through and not used.
        """
        from models import risk

        columns = [f"risk_{days}d" for days in self.model.horizons_days]
        return pd.DataFrame(risk.predict(self.model, model_input), columns=columns, index=model_input.index)


set_model(RiskModel())
