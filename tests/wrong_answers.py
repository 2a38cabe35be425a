"""What students hand in: each replaces a part of the right answer, which runs before it.

For each exercise that a machine marks there are answers that its check must refuse, and for some
there are others that it must take.
"""

WRONG = {
    "ex-01-thunder": [
        "distance = 343 / 5",
        "distance = 1.715",  # kilometres
        "per_cent = -3; temperature = 2.6",  # at 333 m/s, with a rule of 0.6 m/s for each degree
        "per_cent = 0.028; temperature = 0.03",
    ],
    "ex-01-machines": ["independent = 6.02", "n_machines = 2", "same = 12.04; independent = 6.02"],
    "ex-01-tune": ["four_beats = [326, 326]", "four_beats = [326]", "yours = 330"],
    "ex-01-ah": [
        "strongest = 5",  # counted from 0
        "ah_amplitudes = lambda pitch, n: np.arange(n) == 5",
        "ah_amplitudes = lambda pitch, n, right=ah_amplitudes: right(pitch, n) ** 2",
    ],
    "ex-01-hum": ["repaired = clean; a = b = 0.2", "a, b = b, a", "a, b = a / 2, b / 2"],
    "ex-02-alias": ["comes_out = 700; other = 5900", "comes_out, other = other, comes_out"],
    "ex-02-triangle": [
        "harmonic_of = dict.fromkeys(harmonic_of, 1)",
        "clean = aliased",
        "clean = sum(np.cos(2 * np.pi * 440 * k * time) / k for k in (1, 3, 5, 7, 9))",
        "clean = sum(np.cos(2 * np.pi * 440 * k * time) / k**2 for k in (1, 3, 5, 7, 9, 11))",
    ],
    "ex-02-clip": [
        "find_clipped = lambda clips: answer",
        "find_clipped = lambda clips: int(np.argmin([longest_run(c) for c in clips]))",
        "find_clipped = lambda clips: int(np.argmax([audio.rms(c) for c in clips])) + 1",
    ],
    "ex-02-dither": [
        "dithered = lambda samples, bits, rng: quantise(samples, bits)",
        "dithered = lambda samples, bits, rng, right=dithered: right(samples, bits, rng, 1)",
        "dithered = lambda samples, bits, _, right=dithered: right(samples, bits, "
        "np.random.default_rng(0))",
    ],
    "ex-02-stereo": [
        "content = header + data[::-1]",  # the channels are exchanged, among other things
        "content = header + (np.frombuffer(data, np.uint8) ^ 128).tobytes()",  # with a sign
        "content = data",
    ],
    "ex-03-deaf": ["random_phase = in_phase", "in_phase = random_phase", "in_phase = 2 * in_phase"],
    "ex-03-number": [
        "read_number = lambda call: ''.join(map(str, secret))",
        "read_number = lambda call, right=read_number: right(call)[::-1]",
    ],
    "ex-03-buzz": ["remove_buzz = lambda sound: word", "remove_buzz = lambda sound: sound - buzz"],
    "ex-03-pitch": [
        "pitch_of = lambda vowel: secret",
        "pitch_of = lambda vowel: np.abs(np.fft.rfft(vowel)).argmax()",
        "pitch_of = lambda vowel, right=pitch_of: 2 * right(vowel)",
    ],
    "ex-04-columns": ["n_plain, n_centred = n_centred, n_plain", "hops = [158, 160]"],
    "ex-04-rungs": ["shortest, longest = longest, shortest", "shortest, longest = 34, 10"],
    "ex-04-erase": [
        "without_s = np.where(np.arange(len(seven)) < 8000 * vowel_time, 0, seven)",
        "without_s = seven",
        "without_s = without_s[:-100]",
    ],
    "ex-04-find": [
        "six_score = lambda samples, right=six_score: -right(samples)",
        "six_score = lambda samples: len(samples)",
    ],
    "ex-05-find": ["found_f1, found_f2 = 50, 100", "found_f2 += 100", "found_name = 'iy'"],
    "ex-05-own": ["formants = [310, 1535, 2600]", "formants = [f2, f1, f3]", "formants = [f1, f2]"],
    "ex-05-spell": ["banana = 'b a n a n a'", "banana = 'n ax n ae n ax'", "banana = 'b ax n ae'"],
    "ex-05-tract": ["changed = [0, 1, 2]", "ratios = [1.2, 1.2]", "ratios = [1 / 1.2] * 3"],
    "ex-05-whisper": [
        "whisper = air",
        "whisper = moving",
        "whisper = voicing * air + frication",  # no vocal tract
    ],
    "ex-06-length": [
        "room_for_99 = lambda d: (1.0, 0.5)",
        "room_for_99 = lambda d, right=room_for_99: (100 * right(d)[0], right(d)[1])",
        "room_for_99 = lambda d, right=room_for_99: (right(d)[0], 1 - right(d)[1])",
        "room_for_99 = lambda d, right=room_for_99: (right(d)[0], 1 - np.mean(d) / max(d))",
    ],
    "ex-06-liars": [
        "suspects = lambda x, labels: np.flatnonzero(labels != one.table.label)",  # knows them
        "suspects = lambda x, labels: np.linalg.norm(x, axis=1).argsort()[-(len(x) // 10) :]",
    ],
    "ex-06-hash": [
        "by_take = by_speaker",
        "by_speaker = by_take",
        "by_take = (speakers + fsdd.table['take'].astype(str)).map(set_of)",  # without the stroke
        "n_test_speakers = (by_speaker == 'training').sum()",
    ],
    "ex-06-hunt": [
        "fill = lambda folder: [(folder / f'{k}_anna_0.wav').write_bytes(b'') for k in range(10)]",
        "def fill(folder):\n"
        "    for file in list(damaged.iterdir())[:6]:\n"
        "        (folder / file.name).write_bytes(file.read_bytes())",
        "def fill(folder, right=fill):\n"  # two at another rate, no truncated one
        "    right(folder)\n"
        "    (folder / '8_anna_0.wav').write_bytes((folder / '9_anna_0.wav').read_bytes())",
    ],
    "ex-07-ears": ["lower = 1", "lower = wilson(8, 8)[0]", "lower = 0.679"],
    "ex-07-clips": [
        "found = lambda n: 0.1",
        "found = lambda n, right=found: right(n) / 2",
        "enough = 300",
    ],
    "ex-07-worth": ["n_worth = len(unseen)", "n_worth = k", "n_worth = n * (k - 1) / k"],
    "ex-07-nothing": ["clean = leaky", "leaky, clean = clean, leaky", "clean = 0"],
    "ex-07-split": [
        "leave_one_out = lambda speakers: library",
        "leave_one_out = lambda speakers, right=leave_one_out: right(speakers)[::-1]",
        "leave_one_out = lambda s, right=leave_one_out: [fold[::-1] for fold in right(s)]",
    ],
    "ex-07-temperature": [
        "with_temperature = lambda p, temperature: p",
        "with_temperature = lambda p, temperature: p ** (1 / temperature)",
        "best_temperature = 0.5",
        "best_temperature = 6.5",
    ],
    "ex-07-coverage": [
        "table = table.iloc[:, ::-1]",
        "table = table.T",
        "table = 0 * table + 0.95",
    ],
    "ex-08-swing": ["norm_ratio = 0", "of_modulus = 0 * of_modulus"],
    "ex-08-find": [
        "rate_of = lambda sound: 19",
        "rate_of = lambda sound, right=rate_of: right(sound) + 1",
    ],
    "ex-08-q": [
        "best_q = 24",
        "near, far = far, near",
        "near = {Q: d / 2 for Q, d in near.items()}",
    ],
    "ex-08-fold": [
        "fold = lambda spectrum, k: spectrum.reshape(k, -1).sum(axis=0)",
        "fold = lambda spectrum, k: spectrum[: len(spectrum) // k]",
        "folded_row = 8 * folded_row",
    ],
    "ex-08-backwards": ["of_means = 0.1", "as_they_are, one_reversed = one_reversed, as_they_are"],
    "ex-11-half": ["a = 0.5", "a = 1 - 1 / 17640", "a = 1 - 0.5 / 17640"],
    "ex-11-count": ["n_parameters = 33930", "n_parameters = 33024"],  # two biases; no last layer
    "ex-11-gru": ["share = 4 / 3", "gru = lambda x, W, U, b, d, right=gru: right(x, W, U, d, b)"],
    "ex-11-bidirectional": [
        "bidirectional = lambda x, layer: lstm(x, layer.weight_ih_l0.T, layer.weight_hh_l0.T, b)",
        "bidirectional = lambda x, layer: layer(x)",
    ],
    "ex-17-affine": [
        "affine = lambda low, high: (8 / 255, -64)",
        "affine = lambda low, high: ((high - low) / 256, round(-128 - 256 * low / (high - low)))",
        "affine = lambda low, high, right=affine: (right(low, high)[0], -right(low, high)[1])",
    ],
    "ex-17-runtime": [
        "answer_of = lambda samples: np.full(11, 1 / 11)",
        "answer_of = lambda samples, right=answer_of: right(samples[:-400])",
        "program_file = program_file.with_name('nothing.pt2')",
    ],
    "ex-17-clips": ["needed = 10", "needed = 180", "needed = 200", "needed = 192"],
    "ex-17-false-alarms": [
        "above_rule = above_limit",
        "indices = np.full(1000, 0.18)",
        "indices = indices / 2",
        "above_limit = 0.05",
    ],
    "ex-17-retry": [
        "post_patiently = lambda url, body: requests.post(f'{url}/predict', data=body)",
        "def post_patiently(url, body):\n"
        "    while (reply := post_once(url, body)).status_code == 503:\n"
        "        pass\n"
        "    return reply",
    ],
    "ex-18-chances": [
        "false_alarms = 17.28",
        "share_right = 0.95",
        "share_right = 1 - share_right",
    ],
    "ex-18-hysteresis": [
        "two_thresholds = lambda levels, on, off: np.asarray(levels) > on",
        "two_thresholds = lambda levels, on, off: np.asarray(levels) > off",
        "two_thresholds = lambda levels, on, off, right=two_thresholds: right(levels, off, on)",
    ],
    "ex-18-hangover": [
        "n_stretches = lambda levels, hangover_s: 2 if hangover_s < 0.2 else 1",
        "n_stretches = lambda levels, hangover_s, right=n_stretches: right(levels, 0.14)",
        "n_stretches = lambda levels, hangover_s, right=n_stretches: right(levels, hangover_s) + 1",
    ],
    "ex-18-silence": [
        "hours_needed = lambda alarms_a_day: 72",
        "hours_needed = lambda alarms_a_day: 72 * alarms_a_day",
        "share_silent = 0.95",
    ],
    "ex-19-interrupt": [
        "resumed_after = lambda fail_at: uninterrupted",
        "resumed_after = lambda fail_at, right=resumed_after: right(5)",
        "def resumed_after(fail_at):\n"
        "    network = make_network()\n"
        "    network[0].n_seen = 20\n"
        "    return network",
    ],
    "ex-19-unequal": [
        "combined = lambda gradients, n_clips: np.mean(gradients, axis=0)",
        "combined = lambda gradients, n_clips: sum(n * g for n, g in zip(n_clips, gradients))",
        "combined = lambda gradients, n_clips: (gradients[0] + 3 * gradients[1]) / 4",
    ],
    "ex-19-hour": ["disks = 2", "cores += 1", "cores -= 1"],
}

ALSO_RIGHT = {
    "ex-01-thunder": ["distance = 1715.0; per_cent = 2.8; temperature = 3.14", "per_cent = 2.9"],
    "ex-01-machines": ["n_machines = 10; same = float(same); independent = 3.01"],
    "ex-01-tune": ["four_beats = (334, 326)", "four_beats = np.array([334.0, 326.0])"],
    "ex-01-ah": ["ah_amplitudes = lambda p, n, f=ah_amplitudes: list(0.5 * f(p, n))"],
    "ex-02-alias": ["comes_out = 1300; other = 5300.0"],
    "ex-02-triangle": [
        "clean = -clean / 7",
        "harmonic_of = {np.int64(f): float(k) for f, k in reversed(harmonic_of.items())}",
    ],
    "ex-02-clip": ["find_clipped = lambda clips, right=find_clipped: np.int64(right(clips))"],
    "ex-02-dither": [
        "def dithered(samples, bits, rng):\n"
        "    step = 2 / 2**bits\n"
        "    noise = [step * (rng.random() + rng.random() - 1) for _ in samples]\n"
        "    return list(step * np.rint((np.asarray(samples) + noise) / step))"
    ],
    "ex-02-stereo": ["content = bytearray(content)"],
    "ex-03-deaf": ["in_phase = list(in_phase)"],
    "ex-03-number": ["read_number = lambda call, right=read_number: [int(k) for k in right(call)]"],
    "ex-03-pitch": ["pitch_of = lambda vowel, right=pitch_of: round(right(vowel))"],
    "ex-04-columns": ["hops = np.array(hops)[::-1]; n_plain = 144.0"],
    "ex-04-rungs": ["shortest += 1; longest -= 1"],
    "ex-05-own": ["formants = np.array(formants)", "formants = [310, 1419, round(f3)]"],
    "ex-05-spell": ["banana = 'b ax n aa n ax'", "banana = 'bcl b ah n ae n ah'"],
    "ex-05-tract": ["changed = np.array(changed)", "ratios = [1.2, 1.2, 1.2]"],
    "ex-06-length": ["room_for_99 = lambda d, right=room_for_99: list(right(list(d)))"],
    "ex-06-liars": [
        "def suspects(x, labels):\n"
        "    from sklearn.neighbors import KNeighborsClassifier\n"
        "    model = KNeighborsClassifier(6).fit(x, labels)\n"
        "    own = model.predict_proba(x)[range(len(x)), np.searchsorted(model.classes_, labels)]\n"
        "    return list(own.argsort()[: len(x) // 10])"
    ],
    "ex-06-hash": ["by_speaker = list(by_speaker); by_take = by_take.to_numpy()"],
    "ex-06-hunt": [
        "def fill(folder):\n"
        "    for k in range(10):\n"
        "        word = voices.say(k, speaker=3, rate=8000 if k == 4 else 16000)\n"
        "        audio.write_wav(folder / f'{k}_otto_1.wav', word, 8000 if k == 4 else 16000)\n"
        "    (folder / '1_otto_1.wav').write_bytes(b'')\n"
        "    (folder / '2_otto_1.wav').write_text('seven')\n"
        "    cut = (folder / '3_otto_1.wav').read_bytes()[:-500]\n"
        "    (folder / '3_otto_1.wav').write_bytes(cut)"
    ],
    "ex-07-ears": ["lower = 8 / (8 + 1.96**2)"],
    "ex-07-clips": ["enough = 5000.0"],
    "ex-07-nothing": ["leaky = 1.0; clean = 0.5"],
    "ex-07-split": ["leave_one_out = lambda s, right=leave_one_out: list(map(list, right(s)))"],
    "ex-07-coverage": ["table = table.to_numpy()"],
    "ex-08-find": ["rate_of = lambda sound, right=rate_of: float(right(sound))"],
    "ex-11-half": ["a = 1 - 0.0000393"],
    "ex-11-count": ["n_parameters = 33674.0"],
    "ex-17-affine": ["affine = lambda low, high, right=affine: np.array(right(low, high))"],
    "ex-17-runtime": [
        "program_file = str(program_file)",
        "answer_of = lambda samples, right=answer_of: right(samples).tolist()",
    ],
    "ex-17-clips": ["needed = float(needed)"],
    "ex-17-false-alarms": [
        "indices = list(indices)",
        "pairs = np.random.default_rng(2).normal(size=(1000, 2, 100))\n"
        "indices = [monitoring.population_stability_index(*pair) for pair in pairs]\n"
        "above_rule, above_limit = np.mean(np.array(indices) > 0.1), 0.001",
    ],
    "ex-18-chances": ["false_alarms = 121; share_right = 0.62"],
    "ex-18-hysteresis": [
        "two_thresholds = lambda levels, on, off, f=two_thresholds: f(levels, on, off).tolist()"
    ],
    "ex-18-silence": ["hours_needed = lambda alarms_a_day: 72 / alarms_a_day"],
    "ex-19-unequal": [
        "combined = lambda gradients, n: np.average(gradients, axis=0, weights=n).tolist()"
    ],
    "ex-19-hour": ["cores, disks = float(cores), 3.0"],
}
