"""The model card of an exported file: what it answers, what it takes, and how to use it."""

import json
from pathlib import Path

from digitlab.environment import sha256
from digitlab.layouts import OTHER
from digitlab.recognisers import Recogniser

RUNTIMES = {"onnx": "onnxruntime", "keras": "keras and one of its backends", "torch": "torch"}
EXAMPLES = {
    "onnx": """\
import numpy as np
import onnxruntime
classes = {classes}
session = onnxruntime.InferenceSession({quoted})
samples = np.zeros((1, {n_samples}), np.float32)  # your recording
[probabilities] = session.run(["probabilities"], {{"samples": samples}})
print(classes[probabilities[0].argmax()])""",
    "keras": """\
import keras
import numpy as np
classes = {classes}
model = keras.saving.load_model({quoted})
samples = np.zeros((1, {n_samples}), np.float32)  # your recording
probabilities = model.predict(samples, verbose=0)
print(classes[probabilities[0].argmax()])""",
    "torch": """\
import torch
classes = {classes}
model = torch.export.load({quoted}).module()
samples = torch.zeros(1, {n_samples})  # your recording
probabilities = model(samples)
print(classes[probabilities[0].argmax()])""",
}
CARD = """\
# {name}

{answers} Features and network are one graph in this file. It needs {runtime}, and no digitlab.

| | |
|:--|:--|
| System | {recipe}: `{features}` and `{builder}` of digitlab |
| Trained on | {n_train:,} clips of {corpus} \
({split} split, {scale} scale, seed {seed}, {framework}) |
| Test accuracy | {test_accuracy:.3f} on the test clips of that split |
| Corpus digest | `{corpus_digest}` |
| SHA-256 of this file | `{digest}` |

## Input and output

| name | type | shape | meaning |
|:--|:--|:--|:--|
| `samples` | float32 | (n_clips, n_samples) | sounds at {rate:,} Hz, one channel, full scale 1 |
| `probabilities` | float32 | (n_clips, {n_classes}) | of {classes}, in this order |

Any number of clips, and any number of samples from 1 to {n_samples:,} ({seconds:.3f} s). \
Of longer sounds, what comes after the first {n_samples:,} samples is cut off.

- Inside the graph: zeros {where} a shorter sound, {peak}the features, the network.
- To be done before: mixing down to one channel, removing a DC offset, resampling to {rate:,} Hz, \
and cutting a longer recording to its word. `digitlab.preparation.cut_to_fit` does all four.
{other}
## Example

```python
{example}
```
"""
REFUSAL = (
    '- Behind the graph: answer "{other}", that no digit was spoken, where its probability '
    'exceeds {limit:g}; else the likeliest digit. A clip of zeros is always "{other}".\n'
)


def card(recogniser: Recogniser, file: Path, to: str) -> str:
    """Describe an exported file.

    Parameters
    ----------
    recogniser : Recogniser
        What was exported.
    file : pathlib.Path
        The file, which is there already: the card holds its digest.
    to : {"onnx", "keras", "torch"}
        Its format.

    Returns
    -------
    str
        In Markdown: what it answers, how it was trained, input and output, what the graph does and
        what must be done before, and an example.

    Examples
    --------
    >>> from digitlab import pretrained
    >>> text = card(pretrained.load(), pretrained.FILE, "onnx")
    >>> text.splitlines()[2][:51]
    'It tells which of 11 classes a recording belongs to'
    """
    preparation = recogniser.preparation
    facts = {name: getattr(recogniser, name) for name in FACTS}
    facts |= {
        "name": file.name,
        "runtime": RUNTIMES[to],
        "answers": f"It tells which of {len(recogniser.classes)} classes a recording belongs to.",
        "digest": sha256(file),
        "rate": preparation.rate,
        "n_samples": preparation.n_samples,
        "seconds": preparation.seconds,
        "n_classes": len(recogniser.classes),
        "classes": ", ".join(recogniser.classes),
        "where": "on both sides of" if preparation.align == "center" else "behind",
        "peak": "scaling to peak 1, " if preparation.normalize else "",
        "other": "",
    }
    if OTHER in recogniser.classes:
        facts["other"] = REFUSAL.format(limit=recogniser.refuse_above, other=OTHER)
    quoted = json.dumps(file.name, ensure_ascii=False)
    own = {"classes": list(recogniser.classes), "quoted": quoted}
    facts["example"] = EXAMPLES[to].format(**facts | own)
    return CARD.format(**facts)


FACTS = (
    "recipe",
    "features",
    "builder",
    "n_train",
    "corpus",
    "split",
    "scale",
    "seed",
    "framework",
    "test_accuracy",
    "corpus_digest",
)
