"""A predictor for processes of their own: quick to import, and it does what the text says."""

from __future__ import annotations

import os
import time

from ls_active.schemas import Prediction, PredictReply, PredictRequest
from ls_active.settings import Settings


class Obedient:
    """Does what the first task's text orders, and answers with the number of its process."""

    def __init__(self, _: Settings) -> None:
        self.name = f"pid-{os.getpid()}"

    def predict(self, request: PredictRequest) -> PredictReply:
        order = request.tasks[0]["data"].get("text") if request.tasks else ""
        if order == "die":
            os._exit(1)
        if order == "fail":
            raise RuntimeError("the password is hunter2")
        if order == "wait":
            time.sleep(0.3)
        results = [Prediction(result=[], score=0.5, model_version=self.name) for _ in request.tasks]
        return PredictReply(results=results, model_version=self.name)
