"""Sizes of the networks and refusals that both frameworks share."""

CONVOLUTIONS = ((32, 41, 8), (64, 9, 4), (64, 9, 4), (128, 9, 4))  # filters, width, stride
RESIZED = (230, 120)  # frames, bins
BLOCKS = (16, 32, 64)  # filters
RESIDUAL_BLOCKS = (32, 48, 64)  # filters
DEEP_BLOCKS = (32, 64, 128, 256, 512)  # filters
N_MELS, N_FILTERS, N_BLOCKS, WIDTH = 40, 96, 2, 9  # of the small separable network
FRONT_ENDS = {"complex": None, "magnitude": 1, "power": 2, "log-mel": 2}  # powers of magnitudes
J, Q = 8, 12  # of the scattering transform inside a model
SCATTERING_FLOOR = 1e-6  # of the published K1 and K2
SHORTEST = 2400  # samples: 16 frames, which four poolings by 2 leave one of


def power_of(front_end: str) -> float | None:
    """Return the spectrogram's power for a front end, or refuse an unknown name."""
    if front_end not in FRONT_ENDS:
        raise ValueError(f"no front end {front_end!r}: choose one of {', '.join(FRONT_ENDS)}")
    return FRONT_ENDS[front_end]


def refuse_input(n_samples: int, n_channels: int, *, at_least: int) -> None:
    """Refuse a size of clips that a network with a spectrogram inside cannot take."""
    if n_channels != 1:
        raise ValueError(f"this network takes one channel, not {n_channels}: mix them down first")
    if n_samples < at_least:
        raise ValueError(f"this network needs at least {at_least:,} samples, not {n_samples:,}")


def count_paths(n_samples: int, n_channels: int) -> int:
    """Return the number of scattering paths without order 0, or refuse a size of clips."""
    from digitlab.features import scattering_paths

    refuse_input(n_samples, n_channels, at_least=2**J)
    return len(scattering_paths(n_samples, J, Q)) - 1


def refuse_pictures(n_frames: int, n_mels: int) -> None:
    """Refuse pictures of which the poolings of a small network would leave nothing."""
    if min(n_frames, n_mels) < 2 ** len(BLOCKS):
        raise ValueError(f"this network needs 8 frames and 8 bands, not {n_frames} and {n_mels}")


def refuse_numbers(clips) -> None:
    """Refuse a tensor of waveforms that does not hold floats."""
    if "float" not in str(clips.dtype):
        raise ValueError(
            f"waveforms must be floats with full scale 1, not {clips.dtype}: "
            "convert them with digitlab.audio.to_float"
        )


def refuse_steps(shape: tuple) -> None:
    """Refuse what is no array of clips of steps of features."""
    if len(shape) != 3:
        raise ValueError(f"clips must be (n_clips, n_steps, n_features), not {tuple(shape)}")


def refuse_bins(n_bins: int, n_fft: int) -> None:
    """Refuse a spectrogram that was made with another `n_fft`."""
    if n_bins != n_fft // 2 + 1:
        raise ValueError(
            f"a spectrogram of {n_bins} bins does not fit n_fft={n_fft}: give both the same n_fft"
        )
