"""The registered model as MLflow loads it (models from code): this file and a model folder, nothing pickled.

MLflow runs this file when somebody calls `mlflow.pyfunc.load_model`, in a notebook for instance. It holds no logic:
reading, hash verification and prediction are those of Foretide as it is installed. It lies in the artifact store itself,
and who can write there can have it run something else; the night runs nothing from there (`pipelines.release.registry`).
"""

import os
from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

ARTIFACT = "model"


class RiskModel(PythonModel):
    """Rows of features in, one probability per horizon out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model folder, once its files are known to be those that were registered.

        From then on MLflow's errors about frames that do not fit a signature, of other models too, leave out the frame;
        `MLFLOW_DISABLE_SCHEMA_DETAILS=false` has it printed again.
        """
        from models import risk
        from pipelines.release import fetched

        # They hold rows otherwise; MLflow offers no way to say so for one model.
        os.environ.setdefault("MLFLOW_DISABLE_SCHEMA_DETAILS", "true")
        self.model = risk.load(fetched.verified(Path(context.artifacts[ARTIFACT])))

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
