"""What students hand in, as in wrong_answers.py, for chapters 9, 10 and 12 to 16."""

# Their set-up trains networks, or they start another Python: `make test-course` marks them, too.
SLOW = {
    "ex-09-shuffle",
    "ex-09-order",
    "ex-09-recognise",
    "ex-09-voice",
    "ex-10-backend",
    "ex-13-undo",
    "ex-13-soft",
    "ex-13-nothing",
    "ex-14-count",
    "ex-14-ear",
    "ex-15-interval",
    "ex-15-stages",
    "ex-15-dtw",
    "ex-16-pair",
    "ex-16-formants",
    "ex-16-noise",
    "ex-16-takes",
}

WRONG = {
    "ex-09-shuffle": [
        "shuffled = waveforms[test]",
        "shuffled = waveforms[test][:, np.random.default_rng(0).permutation(8192)]",
        "shuffled_accuracy = (shuffled_accuracy + whole_accuracy) / 2",
        "x_raw = features.log_scattering(shuffled, corpus.rate)\n"  # without the scaler
        "y_pred = training.torch.predict(k2_torch, x_raw).argmax(axis=1)\n"
        "shuffled_accuracy = np.mean(y_pred == y_test)",
    ],
    "ex-09-wilson": [
        "lower = evaluation.wilson_interval(290 / 300, 300)[1]",
        "n_enough = 1201",
        "n_enough = 4 * 300",
    ],
    "ex-09-order": [
        "order_1 = models.torch.logistic_regression(76, 10, seed=42)",
        "order_1_accuracy = k2.test_accuracy",
        "overlap = not overlap",
        "order_1 = models.torch.logistic_regression(76, 10, seed=42)\n"  # on the test clips
        "training.torch.fit(order_1, x_test[:, :76], y_test, epochs=200, batch_size=32)\n"
        "y_pred = training.torch.predict(order_1, x_test[:, :76]).argmax(axis=1)\n"
        "order_1_accuracy = np.mean(y_pred == y_test)",
    ],
    "ex-09-recognise": [
        "def recognise(path):\n    return y[list(corpus.table['path']).index(path)], 0.99",
        "def recognise(path):\n"  # at whatever rate
        "    clip = audio.fit(audio.peak_normalize(audio.read_wav(path)[0]), 8192)\n"
        "    x_new = scaler.transform(features.log_scattering(clip[None], corpus.rate))\n"
        "    probabilities = training.torch.predict(k2_torch, x_new)[0]\n"
        "    return int(probabilities.argmax()), float(probabilities.max())",
        "recognise = lambda path, right=recognise: (right(path)[0], 1.0)",
        "recognise = lambda path, right=recognise: (7, right(path)[1])",
    ],
    "ex-09-voice": [
        "x_centred = x_scattering - x_scattering.mean(axis=0)",
        "x_centred = x_scattering - pd.DataFrame(x_scattering).groupby([speakers, y])"
        ".transform('mean').to_numpy()",
        "centred_accuracy = k2_unseen.test_accuracy + 0.055",
        "y_centred = y; centred_accuracy = 1.0",
        "centred_accuracy *= 100",
    ],
    "ex-10-log": [
        "k1_sequential = keras.Sequential([keras.Input((8192,)), models.keras.Scattering(8, 12),\n"
        "    Log(), keras.layers.GlobalAveragePooling1D(data_format='channels_first'),\n"
        "    keras.layers.BatchNormalization(), keras.layers.Dense(10, activation='softmax')])",
        "Log.call = lambda self, paths: ops.log(paths**2 + self.floor)",
        "Log.call = lambda self, paths: ops.log(ops.abs(paths) + 1e-6)",  # whatever the setting
        "Log.get_config = lambda self: keras.layers.Layer.get_config(self)",  # forgets it
    ],
    "ex-10-backend": [
        "difference_in = lambda backend: 3e-7",
        "def difference_in(backend):\n"  # in this Python, with this backend
        "    clip = np.random.default_rng(0).standard_normal((1, 2048)).astype('float32')\n"
        "    ours = ops.convert_to_numpy(models.keras.Scattering(6, 4)(clip))\n"
        "    expected = features.scattering(clip, 8000, J=6, Q=4)\n"
        "    return np.abs(ours - expected).max() / expected.max()",
    ],
    "ex-10-bill": [
        "n_scattered = 50 * 2160 + 300; n_enough = n_scattered / 45.1",
        "n_scattered, n_enough = 45.1, 1",
    ],
    "ex-12-ear": [
        "noise_to_word = lambda snr_db: 10",
        "noise_to_word = lambda snr_db: 10 ** (-snr_db / 20)",
        "noise_to_word = lambda snr_db: 10 ** (snr_db / 10)",
    ],
    "ex-12-giant": [
        "in_two_steps = at_speed",
        "in_two_steps = lambda w, rate, speed: augment.time_stretch(w, speed, rate)",
        "in_two_steps = lambda w, rate, speed: augment.pitch_shift("
        "augment.time_stretch(w, speed, rate), -6.17, rate)",
        "in_two_steps = lambda w, rate, speed: augment.pitch_shift("
        "augment.time_stretch(w, speed, rate), 12 * np.log2(1 / speed), rate)",
        "semitones = 12 * (0.7 - 1) * 1.75",
    ],
    "ex-12-party": [
        "in_babble = hiss",
        "in_babble = noisy - waveform",
        "in_babble = augment.add_noise(waveform, 10, babble)",
        "in_babble = waveform * (1 + 10 ** (-5 / 20))",  # the word itself
    ],
    "ex-12-hidden": [
        "computed_share = lambda n_frames, max_frames: 1 / 7",
        "measured_share = computed_share",
        "computed_share = lambda n_frames, max_frames: (max_frames + 1) / 2 / n_frames",
        "measured_share = lambda *sizes, right=measured_share: right(*sizes) ** 2",
    ],
    "ex-12-exam": [
        "outputs = sum(model.decision_function(view[is_last]) for view in views)",
        "outputs = model.decision_function(x_part[is_last]); averaged = once",
        "model = RidgeClassifier(alpha=0.1 * len(y_part)).fit(x_part, y_part)\n"  # with the last
        "outputs = np.mean([model.decision_function(view[is_last]) for view in views], axis=0)\n"
        "averaged = np.mean(outputs.argmax(axis=1) == y_part[is_last])",
        "averaged = 1 - averaged",
    ],
    "ex-13-count": [
        "n_parameters = 594",
        "n_bins_kept = 21",
        "n_parameters -= 1000",
    ],
    "ex-13-undo": [
        "once = lambda q: exact",
        "once = lambda q: np.log(q) / np.log(q).sum(axis=1, keepdims=True)",
        "once = lambda q: np.log(q) - np.log(q).mean() + 0.1",  # over all clips
        "once = lambda q: np.log(q) - np.log(q).min(axis=1, keepdims=True)",
    ],
    "ex-13-buffer": [
        "highest_row = 47",
        "highest_row = 53",
        "mean_digits = lambda buffer: {48: 2.4, 600: 4.7}[buffer]",
        "mean_digits = lambda buffer, right=mean_digits: right(buffer) / 6",
        "def mean_digits(buffer):\n"  # batched first, then shuffled
        "    dataset = tf.data.Dataset.range(600).batch(6).shuffle(buffer, seed=0)\n"
        "    return np.mean([len(set(batch // 60)) for batch in dataset.as_numpy_iterator()])",
    ],
    "ex-13-soft": [
        "d1_soft = p; stayed = 1",
        "d1_soft = report.recogniser.probabilities(waveforms / 20)",  # 26 dB
        "stayed = 1 - stayed",
        "d2_soft = d1_soft",
    ],
    "ex-13-nothing": [
        "of_silence = np.full(10, 0.1)",
        "from_biases = lambda network: of_silence",
        "from_biases = lambda network: softmax(network[1][1])",  # the last layer's alone
        "from_biases = lambda network: forward(np.zeros(27600), network)[0]",
    ],
    "ex-14-count": [
        "n_for_35 = 907; n_at_8000 = 1849342",
        "n_for_35 = count - sum(convolutions) - norms",
        "n_for_35 += 1000",
        "n_at_8000 = n_for_35",
    ],
    "ex-14-ear": [
        "clips_needed = lambda lower_end: 10 if lower_end < 0.9 else 73",
        "clips_needed = lambda lower_end: 1 + int(1.96 * lower_end / (1 - lower_end))",
        "clips_needed = lambda lower_end, right=clips_needed: right(lower_end) + 1",
    ],
    "ex-14-cycle": [
        "epoch_below = lambda share: 42.8",
        "epoch_below = lambda share: 50 * np.arccos(2 * share - 1) / np.pi",
        "epoch_below = lambda share: 15 + 35 * (1 - share)",  # as if it fell along a line
    ],
    "ex-14-turns": [
        "def advances(waveforms, rate, right=advances):\n    return right(waveforms, rate) ** 2",
        "def advances(waveforms, rate):\n"  # from bin to bin
        "    x = features.spectrogram(waveforms, rate)\n"
        "    z = x[:, 0] + 1j * x[:, 1]\n"
        "    z = z[:, 1:] * z[:, :-1].conj()\n"
        "    z /= np.sqrt(np.abs(z)) + 1e-12\n"
        "    return np.stack([z.real, z.imag], axis=1)",
        "def advances(waveforms, rate):\n"  # without the root
        "    x = features.spectrogram(waveforms, rate)\n"
        "    z = x[:, 0] + 1j * x[:, 1]\n"
        "    z = z[..., 1:] * z[..., :-1].conj()\n"
        "    return np.stack([z.real, z.imag], axis=1)",
        "def advances(waveforms, rate):\n"
        "    x = features.spectrogram(waveforms, rate, power=1)[..., 1:]\n"
        "    return np.concatenate([x, 0 * x], axis=1)",  # magnitudes
    ],
    "ex-15-loud": [
        "largest_change = lambda feature, clip, factor: 0",
        "largest_change = lambda feature, clip, factor: change_in_level",
        "largest_change = lambda feature, clip, factor, right=largest_change: "
        "right(feature, clip, factor) / factor",
        "def largest_change(feature, clip, factor):\n"
        "    x = feature(np.stack([clip, factor * clip]), RATE)\n"
        "    return np.abs(x[1] - x[0]).mean()",
    ],
    "ex-15-interval": [
        "interval_by_hand = lambda is_correct, speakers: k3.speaker_interval",
        "interval_by_hand = lambda is_correct, speakers: evaluation.wilson_interval("
        "np.mean(is_correct), len(is_correct))",
        "def interval_by_hand(is_correct, speakers):\n"  # 1.96 for Student's factor
        "    m = pd.Series(np.asarray(is_correct, float)).groupby(np.asarray(speakers)).mean()\n"
        "    half = 1.96 * m.std() / len(m) ** 0.5\n"
        "    return max(0, m.mean() - half), min(1, m.mean() + half)",
        "def interval_by_hand(is_correct, speakers):\n"  # around the mean over clips
        "    m = pd.Series(np.asarray(is_correct, float)).groupby(np.asarray(speakers)).mean()\n"
        "    half = student.ppf(0.975, len(m) - 1) * m.std() / len(m) ** 0.5\n"
        "    return max(0, np.mean(is_correct) - half), min(1, np.mean(is_correct) + half)",
    ],
    "ex-15-without": [
        "without = lambda name: OFF['masks']",
        "without = lambda name: NO_CHANGE",
        "without = lambda name: {k: v for n in OFF if n != name for k, v in OFF[n].items()}",
        "without = lambda name: dict(list(OFF[name].items())[:1])",
    ],
    "ex-15-neves": [
        "times_larger = np.abs(forward - backward).max()",
        "rearrange = lambda x: x",
        "rearrange = lambda x: x[:, ::-1]",  # the paths, too
        "rearrange = lambda x: of_both[:1]",
    ],
    "ex-15-stages": [
        "unseen_accuracy = lambda x: cross_val_score(regression, x, six_y, cv=5).mean()",  # known
        "unseen_accuracy = lambda x: regression.fit(x, six_y).score(x, six_y)",
        "unseen_accuracy = lambda x: three.mean()",
        "three_stages = lambda x: x[:, :1008]",  # the first three
    ],
    "ex-15-dtw": [
        "nearest = cdist([m.mean(axis=1) for m in six_mfcc], [m.mean(axis=1) for m in six_mfcc])\n"
        "nearest[six_speakers[:, None] == six_speakers] = np.inf\n"
        "nearest = nearest.argmin(axis=1); dtw_accuracy = np.mean(six_y[nearest] == six_y)",
        "nearest = np.arange(len(six)); dtw_accuracy = 1.0",
        "dtw_accuracy = np.mean(five_pred == six_y) + 0.01",
        "nearest = np.array([np.flatnonzero((six_y == digit) & (six_speakers != name))[0]"
        " for digit, name in zip(six_y, six_speakers)]); dtw_accuracy = 1",  # by the true labels
    ],
    "ex-16-pair": [
        "worst_pair = lambda matrices: (6, 8, 3)",
        "def worst_pair(matrices):\n"  # in one direction alone
        "    m = sum(matrices) * (1 - np.eye(len(matrices[0]), dtype=int))\n"
        "    return (*np.unravel_index(m.argmax(), m.shape), m.max())",
        "def worst_pair(matrices, right=worst_pair):\n    return right(matrices[:1])",
        "def worst_pair(matrices, right=worst_pair):\n"
        "    one, other, count = right(matrices)\n"
        "    return one, other, count / 2",
    ],
    "ex-16-formants": [
        "with_factor = lambda factor, system, right=with_factor: right(1 / factor, system)",
        "with_factor = lambda factor, system: accuracy(everything, x_test[:60], y_test[:60])",
        "with_factor = lambda factor, system, right=with_factor: 100 * right(factor, system)",
    ],
    "ex-16-noise": [
        "halve = lambda label_at, high, low: (high, low)",
        "halve = lambda label_at, high, low, right=halve: right(label_at, high, low)[::-1]",
        "def halve(label_at, high, low):\n"  # ratio after ratio
        "    ratios = np.arange(high, low, -0.05)\n"
        "    labels = [label_at(ratio) for ratio in ratios]\n"
        "    return next(((a, b) for a, b, label in zip(ratios, ratios[1:], labels[1:])"
        " if label != labels[0]), None)",
        "halve = lambda label_at, high, low, right=halve: right(answer_at, high, low)",
    ],
    "ex-16-takes": [
        "by_take = [share + 0.02 for share in one_take]",
        "adapted_to = lambda number: last_layer",  # the first take's, or all takes'
        "adapted_to = lambda number, right=adapted_to: right(0)",
        "adapted_to = lambda number: adaptation.adapt(b1, x_own[takes == number],"
        " y_own[takes == number], way='everything')",
        "adapted_to = lambda number: b1",
    ],
}

ALSO_RIGHT = {
    "ex-09-shuffle": ["order = list(np.argsort(order)); shuffled = shuffled.tolist()"],
    "ex-09-wilson": ["lower = 0.9397; n_enough += 3.0"],
    "ex-09-order": [
        "order_1 = torch.nn.Sequential(torch.nn.Linear(76, 10), torch.nn.LogSoftmax(dim=1))\n"
        "adam = torch.optim.Adam(order_1.parameters(), lr=0.01)\n"
        "for _ in range(100):\n"
        "    adam.zero_grad()\n"
        "    log_p = order_1(torch.as_tensor(x_train[:, :76]))\n"
        "    torch.nn.functional.nll_loss(log_p, torch.as_tensor(y_train)).backward()\n"
        "    adam.step()\n"
        "y_pred = order_1(torch.as_tensor(x_test[:, :76])).argmax(dim=1).numpy()\n"
        "order_1_accuracy = float((y_pred == y_test).mean())\n"
        "both = (order_1_accuracy, k2.test_accuracy)\n"
        "ends = [evaluation.wilson_interval(p, len(test)) for p in both]\n"
        "overlap = ends[0][1] >= ends[1][0] and ends[1][1] >= ends[0][0]"
    ],
    "ex-09-recognise": [
        "def recognise(path):\n"
        "    own = audio.resample(*audio.read_wav(path)[:2], corpus.rate)\n"
        "    clip = audio.fit(audio.peak_normalize(own - own.mean()), 8192)\n"
        "    x_new = scaler.transform(features.log_scattering(clip[None], corpus.rate))\n"
        "    p = k2_torch(torch.as_tensor(x_new).float().to(device)).exp()\n"
        "    return p.argmax().item(), p.max().item()"
    ],
    "ex-09-voice": [
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict\n"
        "model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))\n"
        "means = pd.DataFrame(x_scattering).groupby(speakers).transform('mean')\n"
        "x_centred = x_scattering - means\n"
        "one_out = {'groups': speakers, 'cv': LeaveOneGroupOut()}\n"
        "y_centred = cross_val_predict(model, x_centred, y, **one_out).tolist()\n"
        "centred_accuracy = np.mean(y_centred == y).item()"
    ],
    "ex-10-log": [
        "class Log(keras.layers.Layer):\n"
        "    def __init__(self, floor=0.000001, **others):\n"
        "        super().__init__(**others)\n"
        "        self.floor = floor\n"
        "    def call(self, x):\n"
        "        return ops.log(ops.maximum(x, -x) + self.floor)\n"
        "    def get_config(self):\n"
        "        config = super().get_config()\n"
        "        config['floor'] = self.floor\n"
        "        return config\n"
        "keras.saving.register_keras_serializable(package='mine')(Log)\n"
        "k1_sequential = keras.Sequential([keras.Input((8192,)), models.keras.Scattering(8, 12)])\n"
        "k1_sequential.add(keras.layers.Cropping1D((1, 0)))\n"
        "k1_sequential.add(Log(0.001))\n"
        "k1_sequential.add(keras.layers.GlobalAveragePooling1D('channels_first'))\n"
        "k1_sequential.add(keras.layers.BatchNormalization(momentum=0.9))\n"
        "k1_sequential.add(keras.layers.Dense(10))\n"
        "k1_sequential.add(keras.layers.Softmax())"
    ],
    "ex-10-backend": [
        "def difference_in(backend, program=program.replace('keras.backend.backend(),', '')):\n"
        "    environment = {**os.environ, 'KERAS_BACKEND': backend}\n"
        "    command = [sys.executable, '-c', program.replace(' < 1e-5', '')]\n"
        "    silent = subprocess.DEVNULL\n"
        "    return float(subprocess.check_output(command, env=environment, stderr=silent))"
    ],
    "ex-10-bill": ["n_scattered, n_enough = 135300.0, 3e3"],
    "ex-12-ear": ["noise_to_word = lambda snr_db: 1 / 10 ** (0.1 * snr_db)"],
    "ex-12-giant": [
        "in_two_steps = lambda w, rate, speed: list(augment.time_stretch("
        "augment.pitch_shift(w, 12 * np.log2(speed), rate), speed, rate))",
    ],
    "ex-12-party": [
        "talk = [audio.fit(audio.resample(corpus.read(r), corpus.rate, rate), len(waveform))"
        " for r in range(1, 6)]\n"
        "talk = np.sum(talk, axis=0)\n"
        "factor = audio.rms(np.trim_zeros(waveform)) / audio.rms(talk)\n"
        "in_babble = list(waveform + 10 ** (-5 / 20) * factor * talk)"
    ],
    "ex-12-hidden": [
        "def measured_share(n_frames, max_frames):\n"
        "    noise = np.random.default_rng(9).random((4000, 2, n_frames), np.float32)\n"
        "    masked = augment.spec_augment(noise, 5, max_frames=max_frames, max_bands=0)\n"
        "    return sum((old != new)[0].mean() for old, new in zip(noise, masked)) / 4000"
    ],
    "ex-12-exam": ["outputs = outputs.tolist(); averaged = round(float(averaged), 3)"],
    "ex-13-count": ["n_bins_kept = 22.0; n_parameters = 233 * 22 * 512 + 512 + 65664 + 8256 + 650"],
    "ex-13-undo": ["once = lambda q: np.array([np.log(r) + (1 - sum(np.log(r))) / 10 for r in q])"],
    "ex-13-buffer": [
        "def mean_digits(buffer):\n"
        "    rows = [int(r) for r in tf.data.Dataset.range(600).shuffle(buffer)]\n"
        "    return sum(len({r // 60 for r in rows[k : k + 6]}) for k in range(0, 600, 6)) / 100"
    ],
    "ex-13-soft": ["d1_soft, d2_soft = d1_soft.tolist(), d2_soft.astype(float)"],
    "ex-13-nothing": [
        "of_silence = list(of_silence)\n"
        "def from_biases(network):\n"
        "    h = 0\n"
        "    for W, b in network[0]:\n"
        "        h = np.maximum(h @ W + b if np.ndim(h) else b, 0)\n"
        "    z = np.exp(h @ network[1][0] + network[1][1])\n"
        "    return [z / z.sum()]"
    ],
    "ex-14-count": ["n_for_35, n_at_8000 = float(n_for_35), np.int64(n_at_8000)"],
    "ex-14-ear": [
        "clips_needed = lambda low: next(n for n in range(9999) if n / (n + 1.96**2) >= low)"
    ],
    "ex-14-cycle": [
        "def epoch_below(share):\n"
        "    return next(k for k in range(1500, 5000) if cycle[k] < share * max(cycle)) / 100"
    ],
    "ex-14-turns": [
        "def advances(waveforms, rate):\n"
        "    x = features.spectrogram(waveforms, rate)\n"
        "    z = torch.complex(torch.as_tensor(x[:, 0]), torch.as_tensor(x[:, 1]))\n"
        "    z = torch.sqrt(z[..., 1:].abs() * z[..., :-1].abs()) * torch.exp("
        "1j * (z[..., 1:].angle() - z[..., :-1].angle()))\n"
        "    return torch.stack([z.real, z.imag], dim=1).numpy()"
    ],
    "ex-15-loud": [
        "def largest_change(feature, clip, factor):\n"
        "    as_it_is, changed = feature(clip[None], RATE), feature(factor * clip[None], RATE)\n"
        "    return float(max(abs((as_it_is - changed).ravel())))"
    ],
    "ex-15-interval": [
        "def interval_by_hand(is_correct, speakers):\n"
        "    x = [np.mean(is_correct[speakers == name]) for name in np.unique(speakers)]\n"
        "    error = np.std(x, ddof=1) / len(x) ** 0.5\n"
        "    low, high = student.interval(0.95, len(x) - 1, np.mean(x), error)\n"
        "    return [max(low, 0), min(high, 1)]"
    ],
    "ex-15-without": [
        "from inspect import signature\n"
        "known = signature(perturb).parameters\n"
        "usual = {name: known[name].default for name in NO_CHANGE}\n"
        "without = lambda name: usual | OFF[name]"
    ],
    "ex-15-neves": ["rearrange = lambda x: np.hstack(np.split(np.asarray(x), 5, axis=1)[::-1])"],
    "ex-15-stages": [
        "def unseen_accuracy(x, shares=()):\n"
        "    for name in np.unique(six_speakers):\n"
        "        rows = six_speakers != name\n"
        "        model = regression.fit(np.asarray(x)[rows], six_y[rows])\n"
        "        y_pred = model.predict(np.asarray(x)[~rows])\n"
        "        shares = (*shares, (y_pred == six_y[~rows]).mean())\n"
        "    return sum(shares) / 6\n"
        "three_stages = lambda x: np.concatenate([x[:, :336], x[:, 672:1008], x[:, 1344:]], axis=1)"
    ],
    "ex-15-dtw": ["nearest = nearest.tolist()"],
    "ex-16-pair": [
        "def worst_pair(matrices):\n"
        "    total = np.sum(matrices, axis=0)\n"
        "    pairs = [(i, j) for i in range(len(total)) for j in range(i)]\n"
        "    both = {(i, j): total[i, j] + total[j, i] for i, j in pairs}\n"
        "    (i, j), count = max(both.items(), key=lambda item: item[1])\n"
        "    return i, j, float(count)"
    ],
    "ex-16-formants": [
        "def with_factor(factor, system):\n"
        "    n_right = 0\n"
        "    for clip, digit in list(zip(x_test, y_test))[:60]:\n"
        "        clip = audio.resample(clip, RATE, round(RATE / factor))\n"
        "        n_right += int(system.predict(clip, RATE).label) == digit\n"
        "    return n_right / len(x_test[:60])"
    ],
    "ex-16-noise": [
        "def halve(label_at, high, low):\n"
        "    first = label_at(high)\n"
        "    if first == label_at(low):\n"
        "        return\n"
        "    for _ in range(10):\n"
        "        middle = low + (high - low) / 2\n"
        "        if label_at(middle) != first:\n"
        "            low = middle\n"
        "        else:\n"
        "            high = middle\n"
        "    return [high, low]"
    ],
    "ex-16-takes": [
        "by_take = np.array(by_take)\n"
        "def adapted_to(number):\n"
        "    rows = np.flatnonzero(takes == number)\n"
        "    return adaptation.adapt(b1, x_own[rows], y_own[rows], seed=42, way='last layer')"
    ],
}
