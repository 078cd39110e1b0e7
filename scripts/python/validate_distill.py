"""Check the references of the later versions against golden files of the Python program.

    python scripts/python/validate_distill.py CORPUS [NAME ...]

CORPUS holds `models/` and `golden/NAME/golden.json`. Prints one line per check. Exits with 1 if a
check fails. The tolerances are those of the corpus:

- mels, means and logits: 1e-4 absolute or relative, whichever is larger; latents: 1e-5 relative
- sounds: signal to difference of at least 80 dB by HiFi-GAN, 55 dB by phases; by Griffin-Lim, 25 dB
  less than a change of 1e-7 in the mel makes, but 12 to 40 dB
- codes, lengths, ratings and SHA-256 of tensors: equal
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import distill_reference as distill
import sda_reference as sda
import vq_reference as vq
from golden_values import tensor_bytes

NAMES = "rename main gan voc ckpt cs vq vq_prior blend blend_griffin_lim".split()
MEL, LATENT, HIFI_GAN, COMPLEX, UNKNOWN = 1e-4, 1e-5, 80.0, 55.0, 22.0
PEAK = 0.02
SNR_DB = 0.1
# A mean absolute difference of log mels; asked where less than this is reached in dB.
LOG_MEL, LOG_MEL_BELOW = 0.05, 30.0


class Golden:
    """One folder of values."""

    def __init__(self, corpus: Path, name: str) -> None:
        self.corpus = corpus
        self.folder = corpus / "golden" / name
        self.json = json.loads((self.folder / "golden.json").read_text(encoding="utf-8"))

    def has(self, file: str) -> bool:
        return file in self.json["files"]

    def facts(self, file: str) -> dict[str, Any]:
        return self.json["files"][file]

    def array(self, file: str) -> np.ndarray:
        kind = "<i4" if file.endswith(".i32") else "<f4"
        return np.fromfile(self.folder / file, dtype=kind).reshape(self.facts(file)["shape"])

    def tensor(self, file: str) -> Tensor:
        return torch.from_numpy(self.array(file).copy())


class Checks:
    """Prints each result and counts them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.made = 0
        self.failed = 0

    def report(self, what: str, ok: bool, figures: str) -> None:
        self.made += 1
        self.failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {self.name} {what}: {figures}")

    def exact(self, what: str, got: Any, wanted: Any) -> None:
        self.report(what, got == wanted, "equal" if got == wanted else f"{got}, wanted {wanted}")

    def close(self, what: str, got: Any, wanted: np.ndarray, limit: float = MEL) -> None:
        got = np.asarray(got)
        if got.shape != wanted.shape:
            self.report(what, False, f"shape {got.shape} instead of {wanted.shape}")
            return
        error = float((np.abs(got - wanted) / np.maximum(1, np.abs(wanted))).max())
        self.report(what, error <= limit, f"error {error:.1e}")

    def relative(self, what: str, got: Any, wanted: Any) -> None:
        got, wanted = np.asarray(got), np.asarray(wanted)
        error = float(np.abs(got - wanted).max() / np.abs(wanted).max())
        self.report(what, error <= LATENT, f"relative error {error:.1e}")

    def sound(self, what: str, got: np.ndarray, golden: Golden, file: str, kind: str) -> None:
        """Compares all stretches, the length and the peak."""
        facts, values = golden.facts(file), golden.array(file)
        rows = np.atleast_2d(got)
        length = facts["wave"]["samples"]
        if rows.shape != (facts["wave"]["channels"], length):
            self.report(what, False, f"shape {rows.shape}, wanted {facts['wave']}")
            return
        starts = facts.get("stretch_starts")
        size = length if starts is None else values.shape[-1]
        wanted = values.reshape(1 if starts is None else len(starts), len(rows), size)
        worst, log_mel = np.inf, 0.0
        for i, start in enumerate(starts or [0]):
            for row, expected in zip(rows, wanted[i], strict=True):
                found = row[start : start + size]
                worst = min(worst, signal_to_difference(found, expected))
                log_mel = max(log_mel, log_mel_difference(found, expected))
        least = least_of(facts, kind)
        peak = float(np.abs(rows).max()) / facts["wave"]["peak"] - 1
        ok = worst >= least and abs(peak) <= PEAK
        if kind == "griffin_lim" and worst < LOG_MEL_BELOW:
            ok = ok and log_mel <= LOG_MEL
        figures = f"{worst:.1f} dB of {least:.1f}, peak {peak:+.1e}, log mel {log_mel:.1e}"
        self.report(what, ok, figures)

    def quality(self, what: str, got: dict[str, Any], wanted: dict[str, Any]) -> None:
        self.exact(
            f"{what} quality",
            [got["rating"], got["clipping"]["clipped_samples"]],
            [wanted["rating"], wanted["clipping"]["clipped_samples"]],
        )
        snr = float(wanted["snr_db"])
        ok = got["snr_db"] == snr or abs(got["snr_db"] - snr) <= SNR_DB
        self.report(f"{what} SNR", ok, f"{got['snr_db']:.2f} dB, wanted {snr:.2f}")


def least_of(facts: dict[str, Any], kind: str) -> float:
    """The signal to difference that a sound must reach, in dB."""
    if kind == "hifi_gan":
        return HIFI_GAN
    known = facts.get("sensitivity")
    if kind == "complex":
        return max(COMPLEX, known["snr_db"] - 25 if known else 0)
    return min(40.0, max(12.0, known["snr_db"] - 25)) if known else UNKNOWN


def signal_to_difference(got: np.ndarray, wanted: np.ndarray) -> float:
    noise = float(np.sum((got.astype(np.float64) - wanted) ** 2))
    return float(10 * np.log10(np.sum(wanted.astype(np.float64) ** 2) / noise)) if noise else np.inf


def log_mel_difference(got: np.ndarray, wanted: np.ndarray) -> float:
    spectrogram = sda.AudioSpectrogram(sda.SpectrogramConfig())
    pair = torch.from_numpy(np.stack([got, wanted]).astype(np.float32))[:, None]
    a, b = spectrogram.waveform_to_mel(pair)
    return float((a - b).abs().mean())


def check_tensors(checks: Checks, what: str, state: dict[str, Tensor], golden: Any) -> None:
    found = {
        key: {
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "sha256": hashlib.sha256(tensor_bytes(tensor)).hexdigest(),
        }
        for key, tensor in state.items()
    }
    checks.exact(what, list(found.items()) == list(golden.items()), True)


def request_of(config: dict[str, Any], **defaults: Any) -> sda.GenerateConfig:
    return sda.generate_config_from_json(defaults | config)


def kind_of(loaded: distill.DistillModel) -> str:
    if loaded.generation == distill.COMPLEX:
        return "complex"
    return "griffin_lim" if loaded.vocoder is None else "hifi_gan"


def check_latent_model(golden: Golden, checks: Checks) -> None:
    facts = golden.json
    loaded = distill.load_distill(golden.corpus / facts["model"])
    model, kind = loaded.model, kind_of(loaded)
    spectrogram = distill.spectrogram_of(loaded)
    checks.exact("keys", list(loaded.content), facts["keys"])
    checks.exact("metadata", loaded.content["metadata"], facts["metadata"])
    check_tensors(checks, "state dict", loaded.content["model_state_dict"], facts["state_dict"])
    if loaded.vocoder is not None:
        wanted = facts["vocoder_state"]["generator_state_dict"]
        check_tensors(checks, "generator", dict(loaded.vocoder.state), wanted)
    mels = torch.cat([model.decoder(z[None]) for z in golden.tensor("decode_z.f32")])
    wanted = golden.array("decode_mel.f32")
    checks.close("decode", mels[: len(wanted)].reshape(wanted.shape), wanted)
    if golden.has("encode_mu.f32"):
        file = "encode_in.f32" if golden.has("encode_in.f32") else "encode_in_mel.f32"
        given = golden.tensor(file)
        mu, logvar = model.encode(given.reshape(1, -1, *given.shape[-2:]))
        checks.close("mu", mu[0], golden.array("encode_mu.f32"))
        checks.close("logvar", logvar[0], golden.array("encode_logvar.f32"))
    if golden.has("inverse_mel_8.f32"):
        wanted = golden.array("inverse_mel_8.f32")
        power = distill.linear_spectrum(spectrogram, torch.expm1(mels[:1, 0]))[0]
        found = power[:, : wanted.shape[1]]
        checks.close("inverse mel", found / wanted.max(), wanted / wanted.max())
    if golden.has("linear_phase_4.f32"):
        stats = loaded.content["normalization_stats"]
        found = distill.amplitude_and_phase(spectrogram, mels[:1], stats)
        for what, values in zip(("amplitude", "phase"), found, strict=True):
            wanted = golden.array(f"linear_{what}_4.f32")
            checks.close(f"linear {what}", values[0, :, -4:] / wanted.max(), wanted / wanted.max())
    if golden.has("mel_to_wave.f32"):
        torch.manual_seed(golden.facts("mel_to_wave.f32").get("seed", 0))
        sound = distill.mel_to_sound(loaded, spectrogram, mels[:1])
        checks.sound("mel to sound", sound, golden, "mel_to_wave.f32", kind)
    if golden.has("mel_to_wave_no_stats.f32"):
        sound = distill.complex_mel_to_waveform(spectrogram, mels[:1], None)[0].numpy()
        checks.sound("without statistics", sound, golden, "mel_to_wave_no_stats.f32", kind)
    if golden.has("vocoder_negative_in.f32") and loaded.vocoder:
        sound = loaded.vocoder(golden.tensor("vocoder_negative_in.f32")[None])[0].numpy()
        checks.sound("negative mels", sound, golden, "vocoder_negative_out.f32", kind)
    if golden.has("bigvgan_mel.f32"):
        matrix = distill.bigvgan_transfer()
        checks.close("BigVGAN's matrix", matrix, golden.array("bigvgan_transfer.f32"))
        checks.close("BigVGAN's mel", distill.bigvgan_mel(mels[:1, 0])[0], golden.array(
            "bigvgan_mel.f32"
        ))
    if loaded.analysis is not None:
        checks.exact("sliders", sda.slider_info(loaded.analysis), facts["sliders"])
        for row in facts["slider_latents"]:
            found = sda.sliders_to_latent(loaded.analysis, row["positions"])
            checks.relative("slider latent", found, row["latent"])
    for case in facts["cases"]:
        check_case(golden, checks, loaded, case, kind)


def check_case(
    golden: Golden, checks: Checks, loaded: distill.DistillModel, case: dict[str, Any], kind: str
) -> None:
    name = case["name"]
    made = distill.generate(loaded, request_of(case["config"]))
    if made.path is not None and golden.has(f"{name}_trajectory.f32"):
        checks.relative(f"{name} path", made.path, golden.array(f"{name}_trajectory.f32"))
    if made.mel is not None and golden.has(f"{name}_mel.f32"):
        wanted = golden.array(f"{name}_mel.f32")
        mel = made.mel[0, 0]
        every = 1 if wanted.shape[-1] == mel.shape[-1] else 8
        checks.close(f"{name} mel", mel[:, ::every], wanted)
    if "file" not in case:
        return
    checks.sound(name, made.audio, golden, case["file"], kind)
    checks.quality(name, made.quality, case["result"]["quality"])
    seconds = made.audio.shape[-1] / case["result"]["sample_rate"]
    checks.exact(f"{name} duration", round(seconds, 9), round(case["result"]["duration_s"], 9))


def check_codes(golden: Golden, checks: Checks) -> None:
    facts = golden.json
    loaded = vq.load_vq(golden.corpus / facts["model"])
    model, spectrogram = loaded.model, vq.spectrogram_of(loaded.config)
    checks.exact("keys", list(loaded.content), facts["keys"])
    check_tensors(checks, "state dict", loaded.content["model_state_dict"], facts["state_dict"])
    if golden.has("encode_in_mel.f32"):
        mel = golden.tensor("encode_in_mel.f32")[None, None]
        checks.close("embeddings", model.encoder(mel)[0], golden.array("encode_embeddings.f32"))
        checks.exact("codes", model.encode(mel).tolist(), golden.array("encode_codes.i32").tolist())
    if golden.has("encode_file_codes.i32"):
        sound = read_wav(golden.folder / "encode_in.wav", loaded.config.sample_rate)
        mel = spectrogram.waveform_to_mel(torch.from_numpy(sound)[None, None])
        wanted = golden.array("encode_file_codes.i32").tolist()
        checks.exact("codes of a file", model.encode(mel).tolist(), wanted)
    if golden.has("decode_codes.i32"):
        codes = golden.tensor("decode_codes.i32").long()
        grid = sda.grid_of(loaded.config.mel_shape(loaded.config.sample_rate))
        embedded = model.quantizer.embed(codes[0], grid)
        checks.close("embedded codes", embedded[0], golden.array("decode_embeddings.f32"))
        mels = torch.cat([model.decode(each) for each in codes])
        checks.close("decode", mels[:, 0], golden.array("decode_mel.f32"))
        single = torch.zeros_like(codes[0])
        single[:, 1] = 5
        for what, mel in (("decode_wave", mels[:1]), ("preview_code", model.decode(single))):
            torch.manual_seed(golden.facts(f"{what}.f32")["seed"])
            sound = spectrogram.mel_to_waveform(mel)[0, 0].numpy()
            checks.sound(what, sound, golden, f"{what}.f32", "griffin_lim")
    if loaded.prior is not None:
        check_prior(golden, checks, loaded)


def check_prior(golden: Golden, checks: Checks, loaded: vq.VqModel) -> None:
    facts, prior = golden.json, loaded.prior
    assert prior is not None
    state = loaded.content["prior_state_dict"]
    check_tensors(checks, "prior's state dict", state, facts["prior_state_dict"])
    logits = prior(golden.tensor("logits_codes.i32").long())
    checks.close("logits", logits, golden.array("logits.f32"))
    for row in facts["samples"]:
        torch.manual_seed(row["seed"])
        codes = prior.sample(row["temperature"], row["top_k"], row["top_p"])
        checks.exact(f"sample {row['seed']}", codes.tolist(), row["codes"])
    for case in facts["cases"]:
        audio, codes = vq.generate(loaded, request_of(case["config"]))
        checks.exact(f"{case['name']} codes", [c.tolist() for c in codes], case["chunk_codes"])
        checks.sound(case["name"], audio, golden, case["file"], "griffin_lim")
        checks.exact(f"{case['name']} samples", audio.shape[-1], case["samples"])


def check_blend(golden: Golden, checks: Checks) -> None:
    facts = golden.json
    models = {
        key: distill.load_distill(golden.corpus / path) for key, path in facts["models"].items()
    }
    # v1.1's values took one model's vocoder for all. main knows no vocoder, and only one resampler.
    vocoder = models["voc"].vocoder if "v1.1" in facts["program"] else None
    if "(main)" in facts["program"]:
        for model in models.values():
            model.vocoder, model.generation = None, distill.MAIN
    for case in facts["cases"]:
        name = case["name"]
        active = [
            i
            for i, on in enumerate(case.get("active", [True] * len(case["models"])))
            if on and case["weights"][i] > 0
        ]
        chosen = [models[case["models"][i]] for i in active]
        unions = distill.union_sliders(chosen)
        exact = [{k: v for k, v in s.items() if k != "variance_pct"} for s in unions]
        wanted = case["union_sliders"]
        checks.exact(
            f"{name} sliders",
            exact,
            [{k: v for k, v in s.items() if k != "variance_pct"} for s in wanted],
        )
        checks.relative(
            f"{name} variances",
            [s["variance_pct"] for s in unions],
            [s["variance_pct"] for s in wanted],
        )
        made = distill.blend(
            chosen,
            [case["weights"][i] for i in active],
            request_of(case["config"], **case["defaults"]),
            mode=case["mode"],
            positions=case["slider_positions"],
            vocoder=vocoder,
        )
        kind = "hifi_gan" if vocoder else "griffin_lim"
        checks.sound(name, made.audio, golden, case["file"], kind)
        checks.quality(name, made.quality, case["result"]["quality"])


def read_wav(path: Path, rate: int) -> np.ndarray:
    """Mono samples of a 16-bit WAV file at `rate`, from -1 to 1."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
        mono = samples.reshape(-1, file.getnchannels()).mean(axis=1) / 32768
        return sda.resample(mono, file.getframerate(), rate)


@torch.no_grad()
def validate(corpus: Path, name: str) -> Checks:
    golden, checks = Golden(corpus, name), Checks(name)
    if "models" in golden.json:
        check_blend(golden, checks)
    elif "vqvae_config" in golden.json:
        check_codes(golden, checks)
    else:
        check_latent_model(golden, checks)
    return checks


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("names", nargs="*", default=NAMES)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = [validate(options.corpus, name) for name in options.names]
    print(f"\n{'values':20} checks  failed")
    for checks in results:
        print(f"{checks.name:20} {checks.made:6}  {checks.failed:6}")
    return 1 if sum(checks.failed for checks in results) else 0


if __name__ == "__main__":
    sys.exit(main())
