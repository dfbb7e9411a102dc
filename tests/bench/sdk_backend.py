"""The same pipeline as a team would host it with the server of label-studio-ml.

Run as a program: ``python -m tests.bench.sdk_backend FOLDER PORT LABELS``; what follows the
classes is that server's own ``_wsgi.py`` template, less its command line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from active_learning.learners.penalty import C
from tests.harness import data


def pipeline() -> Pipeline:
    """Return our features and our classifier, in scikit-learn's own parts."""
    same = {"n_features": 2**17, "norm": None, "alternate_sign": False}
    return make_pipeline(
        make_union(
            HashingVectorizer(ngram_range=(1, 2), **same),
            HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **same),
        ),
        TfidfTransformer(sublinear_tf=True),
        LogisticRegression(C=C, max_iter=200),
    )


@cache
def fitted(labels: int) -> Pipeline:
    """Return the pipeline, fitted once a process: the SDK makes a new model a request."""
    texts, answers = zip(*data.short_texts(labels), strict=True)
    return pipeline().fit(texts, answers)


class TextClassifier(LabelStudioMLBase):  # type: ignore[misc]
    """A text classifier as the SDK's examples are written."""

    def predict(self, tasks: Sequence[Mapping[str, Any]], **kwargs: Any) -> list[dict[str, Any]]:
        """Return one prediction a task."""
        model = fitted(LABELS)
        proba = model.predict_proba([task["data"]["text"] for task in tasks])
        return [
            {
                "result": [
                    {
                        "from_name": "topic",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": [str(model.classes_[row.argmax()])]},
                    }
                ],
                "score": float(row.max()),
            }
            for row in proba
        ]


if __name__ == "__main__":
    folder, port, LABELS = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    logging.basicConfig(level=logging.ERROR)
    fitted(LABELS)
    app = init_app(model_class=TextClassifier, model_dir=str(folder))
    app.run(host="127.0.0.1", port=port, debug=False)
