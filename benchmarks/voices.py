"""How good are the built-in voices? Train on them and test on recordings, and the reverse.

A small convolutional network is given the log-mel spectrogram of a word, trimmed and stretched to
48 frames. It is trained on 2,400 synthetic clips alone and tested on FSDD's official test clips,
and on the digits of Speech Commands where they are on disk; then it is trained on FSDD's training
clips and tested on the synthetic ones. The voices were tuned on FSDD's training takes (5 to 49) and
on nothing else; `--tune` tests on those takes.
"""

import argparse
import time
from itertools import pairwise

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.metrics import confusion_matrix
from torch import nn

from digitlab import audio, corpora, evaluation, features, voices

RATE = 8000
N_SPEAKERS, N_TAKES = 120, 2  # 2,400 clips; FSDD has 2,700 training clips
N_MELS, N_FRAMES = 32, 48
QUIET = 35  # dB below the loudest frame: silence at the ends of a word
FLOOR = 40  # dB below the loudest band of the loudest frame: levels below are raised to it
EPOCHS, BATCH, SEEDS = 24, 64, 3


def to_inputs(waveforms: np.ndarray) -> torch.Tensor:
    """Return spectrograms of words, (n, 1, N_MELS, N_FRAMES), each with mean 0 and spread 1."""
    spectrograms = features.log_mel(waveforms, RATE, n_mels=N_MELS, n_fft=256, hop_length=80)
    return torch.from_numpy(np.stack([trim_and_stretch(each) for each in spectrograms])[:, None])


def trim_and_stretch(decibels: np.ndarray) -> np.ndarray:
    loudness = 10 * np.log10((10 ** (decibels / 10)).sum(axis=0))
    loud = np.flatnonzero(loudness > loudness.max() - QUIET)
    word = np.maximum(decibels[:, loud[0] : loud[-1] + 1], decibels.max() - FLOOR)
    times = np.linspace(0, word.shape[1] - 1, N_FRAMES)
    word = np.stack([np.interp(times, np.arange(word.shape[1]), band) for band in word])
    return ((word - word.mean()) / word.std()).astype(np.float32)


def vary(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Augment: other microphones, tempi, vocal tracts and noises; a few bands and frames masked."""
    n, _, n_mels, n_frames = x.shape

    def draw(*sizes):
        return torch.randn(n, len(sizes), generator=rng) * torch.tensor(sizes)

    f = torch.linspace(-1, 1, n_mels)
    colours = torch.stack([f, 2 * f**2 - 1, 4 * f**3 - 3 * f])
    x = x + (draw(0.3, 0.25, 0.2) @ colours)[:, None, :, None]
    warp = torch.zeros(n, 2, 3)
    warp[:, 0, ::2] = draw(0.2, 0.12) + torch.tensor([1.0, 0.0])
    warp[:, 1, 1:] = draw(0.03, 0.05) + torch.tensor([1.0, 0.0])
    grid = nn.functional.affine_grid(warp, x.shape, align_corners=False)
    x = nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    x = x.masked_fill(masked(n, n_mels, 7, rng)[:, None, :, None], 0)
    x = x.masked_fill(masked(n, n_frames, 9, rng)[:, None, None, :], 0)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    x = torch.maximum(x, low + 0.35 * torch.rand(n, 1, 1, 1, generator=rng) * (high - low))
    return (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)


def masked(n: int, length: int, most: int, rng: torch.Generator) -> torch.Tensor:
    start = torch.randint(0, length, (n, 1), generator=rng)
    end = start + torch.randint(0, most, (n, 1), generator=rng)
    place = torch.arange(length)
    return (place >= start) & (place < end)


def network() -> nn.Module:
    layers, channels = [], (1, 24, 48, 72)
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    n_features = channels[-1] * (N_MELS // 8) * (N_FRAMES // 8)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(n_features, 10))


def train(x: torch.Tensor, y: np.ndarray, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    model, y = network(), torch.as_tensor(y)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    n_steps = EPOCHS * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=n_steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x), generator=rng).split(BATCH):
            optimizer.zero_grad()
            logits = model(vary(x[batch], rng))
            nn.functional.cross_entropy(logits, y[batch], label_smoothing=0.1).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def predict(models: list[nn.Module], x: torch.Tensor) -> np.ndarray:
    """Return the digits that each model predicts, (n_models, n_clips)."""
    with torch.inference_mode():
        return np.stack([model(x).argmax(dim=1).numpy() for model in models])


def report(title: str, y_true: np.ndarray, y_pred: np.ndarray, speakers: np.ndarray) -> None:
    right = y_pred == y_true
    share = right.mean(axis=0)
    wilson = evaluation.wilson_interval(share.mean(), len(y_true))
    over_speakers = evaluation.speaker_interval(share, speakers)
    print(f"\n{title}: {share.mean():.3f} of {len(y_true):,} clips, {len(set(speakers))} speakers")
    print("  seeds:", *(f"{accuracy:.3f}" for accuracy in right.mean(axis=1)))
    print("  95 %: Wilson {:.3f} to {:.3f}".format(*wilson), end=", ")
    print("over speakers {:.3f} to {:.3f}".format(*over_speakers))
    if len(set(speakers)) < 10:
        accuracies = (
            f"{name} {share[speakers == name].mean():.2f}" for name in np.unique(speakers)
        )
        print("  by speaker:", *accuracies)
    print(confusion_matrix(np.tile(y_true, len(y_pred)), y_pred.ravel()))


def synthesise(n_speakers: int, n_takes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return waveforms, digits and speakers."""
    takes = [(d, i, t) for i in range(n_speakers) for d in range(10) for t in range(n_takes)]
    clips = Parallel(n_jobs=-1)(delayed(voices.say)(*take, rate=RATE) for take in takes)
    digits, speakers, _ = np.array(takes).T
    return prepare(clips), digits, speakers


def prepare(clips: list[np.ndarray]) -> np.ndarray:
    return np.stack([audio.fit(audio.peak_normalize(clip), 8192) for clip in clips])


def spoken_digits(commands: corpora.Corpus) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    words = np.array(commands.classes)[commands.table["label"]]
    is_digit = np.isin(words, voices.DIGIT_WORDS)
    labels = [voices.DIGIT_WORDS.index(word) for word in words[is_digit]]
    digits = commands.select(is_digit)
    return digits.waveforms(rate=RATE), np.array(labels), digits.table["speaker"].to_numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tune", action="store_true", help="test on FSDD's takes 5 to 49 only")
    tune = parser.parse_args().tune
    torch.set_num_threads(1)

    start = time.perf_counter()
    for speaker in range(12):
        for digit in range(10):
            voices.say(digit, speaker)
    print(f"{120 / (time.perf_counter() - start):.0f} clips a second on one core")

    x_voices, y_voices, indices = synthesise(N_SPEAKERS, N_TAKES)
    x_voices = to_inputs(x_voices)
    trained_on_voices = [train(x_voices, y_voices, seed) for seed in range(SEEDS)]

    fsdd = corpora.load("fsdd")
    takes, y, speakers = (fsdd.table[name].to_numpy() for name in ("take", "label", "speaker"))
    x = to_inputs(fsdd.waveforms())
    tested = takes >= 5 if tune else takes < 5
    title = "voices -> FSDD, training takes" if tune else "voices -> FSDD, official test"
    report(title, y[tested], predict(trained_on_voices, x[tested]), speakers[tested])
    if tune:
        return

    training = takes >= 5
    trained_on_people = [train(x[training], y[training], seed) for seed in range(SEEDS)]
    y_pred = predict(trained_on_people, x_voices)
    report("FSDD, training takes -> voices", y_voices, y_pred, indices)
    kinds = np.array([voices.speaker(index).kind for index in indices])
    share = (y_pred == y_voices).mean(axis=0)
    print("  by kind:", *(f"{kind} {share[kinds == kind].mean():.3f}" for kind in voices.PITCH))

    if corpora.find("speech_commands"):
        commands, y, speakers = spoken_digits(corpora.load("speech_commands"))
        y_pred = predict(trained_on_voices, to_inputs(commands))
        report("voices -> Speech Commands digits", y, y_pred, speakers)


if __name__ == "__main__":
    main()
