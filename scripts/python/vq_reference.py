"""Reference of the Python program's models of codes: the VQ-VAE, its prior, and their sound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sda_reference as sda
from distill_reference import Disturb, load_content

GRIFFIN_LIM_ITERATIONS = 128
# The rate that `overlap_samples` counts samples at.
OVERLAP_RATE = 48_000


class CodesEncoder(nn.Module):
    """The four-layer convolutions, and a projection of each position to the codebooks' size."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.convs = sda.Convolutions(sda.FOUR_LAYERS, dropout)
        self.proj = nn.Conv2d(sda.FOUR_LAYERS[-1], dim, 1)

    def forward(self, mel: Tensor) -> Tensor:
        return self.proj(self.convs(mel))


class CodesDecoder(nn.Module):
    """Mirrors `CodesEncoder`. Crops to `frames`."""

    def __init__(self, dim: int, n_mels: int, dropout: float) -> None:
        super().__init__()
        self.n_mels = n_mels
        self.proj = nn.Conv2d(dim, sda.FOUR_LAYERS[-1], 1)
        self.deconvs = sda.deconvolutions(sda.FOUR_LAYERS, dropout, [nn.Softplus()])

    def forward(self, embedded: Tensor, frames: int) -> Tensor:
        return self.deconvs(self.proj(embedded))[..., : self.n_mels, :frames]


class Codebook(nn.Module):
    """One level. Only `embed` `[1, size, dim]` matters after the training."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("initted", torch.ones(1))
        self.register_buffer("cluster_size", torch.zeros(1, size))
        self.register_buffer("embed_avg", torch.zeros(1, size, dim))
        self.register_buffer("embed", torch.zeros(1, size, dim))


class Level(nn.Module):
    """Gives a codebook its name in the state dict."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self._codebook = Codebook(size, dim)


class Levels(nn.Module):
    """Gives the levels their names in the state dict."""

    def __init__(self, size: int, dim: int, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Level(size, dim) for _ in range(count))


class Quantizer(nn.Module):
    """Residual vector quantisation: each level codes what the levels before it left over."""

    def __init__(self, size: int, dim: int, count: int) -> None:
        super().__init__()
        self.rvq = Levels(size, dim, count)

    def tables(self) -> list[Tensor]:
        """`[size, dim]` of each level."""
        return [level._codebook.embed[0] for level in self.rvq.layers]

    def codes_of(self, embedded: Tensor) -> Tensor:
        """`[dim, rows, columns]` to codes `[rows·columns, levels]`."""
        rest = embedded.flatten(1).T
        codes = []
        for table in self.tables():
            nearest = torch.cdist(
                rest, table, compute_mode="donot_use_mm_for_euclid_dist"
            ).argmin(dim=1)
            codes.append(nearest)
            rest = rest - table[nearest]
        return torch.stack(codes, dim=1)

    def embed(self, codes: Tensor, grid: tuple[int, int]) -> Tensor:
        """Codes `[rows·columns, levels]` to `[1, dim, rows, columns]`.

        The result has the layout "channels last", as in the program: the convolutions round
        otherwise with another layout, and Griffin-Lim magnifies the difference.
        """
        tables = self.tables()
        total = torch.zeros(len(codes), tables[0].shape[1])
        for level, table in enumerate(tables):
            total = total + table[codes[:, level]]
        return total.reshape(1, *grid, -1).permute(0, 3, 1, 2)


class VqVae(nn.Module):
    """The model of codes. Its state dict has the names of the program's files."""

    def __init__(
        self, codebook: Mapping[str, Any], config: sda.SpectrogramConfig, dropout: float = 0.2
    ) -> None:
        super().__init__()
        dim, size = codebook["codebook_dim"], codebook["codebook_size"]
        self.config = config
        self.encoder = CodesEncoder(dim, dropout)
        self.quantizer = Quantizer(size, dim, codebook["num_quantizers"])
        self.decoder = CodesDecoder(dim, config.n_mels, dropout)

    def encode(self, mel: Tensor) -> Tensor:
        """`[1, 1, n_mels, frames]` to codes `[positions, levels]`."""
        return self.quantizer.codes_of(self.encoder(mel)[0])

    def decode(self, codes: Tensor, frames: int | None = None) -> Tensor:
        """Codes `[positions, levels]` to `[1, 1, n_mels, frames]`. Default: one second."""
        _, second = self.config.mel_shape(self.config.sample_rate)
        frames = second if frames is None else frames
        grid = sda.grid_of((self.config.n_mels, frames))
        return self.decoder(self.quantizer.embed(codes, grid), frames)


class Prior(nn.Module):
    """A transformer that draws one code after the other."""

    def __init__(self, codebook_size: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        hidden, self.length = config["hidden_size"], config["seq_len"]
        self.codebook_size, self.levels = codebook_size, config["num_quantizers"]
        self.token_emb = nn.Embedding(codebook_size, hidden)
        self.pos_emb = nn.Embedding(self.length, hidden)
        self.level_emb = nn.Embedding(self.levels, hidden)
        self.drop = nn.Dropout(config["dropout"])
        layer = nn.TransformerEncoderLayer(
            hidden,
            config["num_heads"],
            4 * hidden,
            config["dropout"],
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(
            layer, config["num_layers"], enable_nested_tensor=False
        )
        self.ln_f = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, codebook_size, bias=False)
        mask = torch.ones(self.length, self.length, dtype=torch.bool).triu(1)
        self.register_buffer("causal_mask", mask)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes `[n]` to the logits after each, `[n, codebook_size]`."""
        count = len(codes)
        at = torch.arange(count)
        hidden = self.token_emb(codes) + self.pos_emb(at) + self.level_emb(at % self.levels)
        mask = self.causal_mask[:count, :count]
        return self.head(self.ln_f(self.transformer(self.drop(hidden)[None], mask=mask)[0]))

    @torch.no_grad()
    def sample(self, temperature: float, top_k: int, top_p: float) -> Tensor:
        """`[length]` codes. Draws from torch's global generator."""
        codes = torch.randint(0, self.codebook_size, (1,))
        while len(codes) < self.length:
            chances = chances_of(self(codes)[-1], temperature, top_k, top_p)
            codes = torch.cat([codes, torch.multinomial(chances, 1)])
        return codes


def chances_of(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """Probabilities after temperature, top-k (ties stay) and top-p."""
    if temperature != 1.0:
        logits = logits / temperature
    if 0 < top_k < len(logits):
        least = logits.topk(top_k).values[-1]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if 0 < top_p < 1:
        ordered, order = logits.sort(descending=True)
        own = F.softmax(ordered, dim=-1)
        unlikely = own.cumsum(dim=-1) - own >= top_p
        logits = logits.index_fill(0, order[unlikely], -torch.inf)
    return F.softmax(logits, dim=-1)


@dataclass
class VqModel:
    """A loaded file: float32 models in eval mode, and the file's dict."""

    model: VqVae
    prior: Prior | None
    config: sda.SpectrogramConfig
    content: dict[str, Any]


def load_vq(path: str | Path) -> VqModel:
    """Load a `.distill` file of a model of codes. Unpickles the file, so it must be trusted."""
    content = load_content(path)
    if content.get("model_type") != "vqvae":
        raise ValueError(f"{path}: not a model of codes")
    config = sda.SpectrogramConfig(**content["spectrogram_config"])
    codebook = content["vqvae_config"]
    model = VqVae(codebook, config)
    model.load_state_dict(content["model_state_dict"])
    prior = None
    if content.get("has_prior"):
        prior = Prior(codebook["codebook_size"], content["prior_config"])
        prior.load_state_dict(content["prior_state_dict"])
        prior.eval()
    return VqModel(model.eval(), prior, config, content)


def spectrogram_of(config: sda.SpectrogramConfig) -> sda.AudioSpectrogram:
    spectrogram = sda.AudioSpectrogram(config)
    spectrogram.griffin_lim_iterations = GRIFFIN_LIM_ITERATIONS
    return spectrogram


def join(chunks: Sequence[np.ndarray], overlap: int) -> np.ndarray:
    """Join chunks as the Python program does: the *tail* rises and the *head* falls."""
    window = np.hanning(2 * overlap)
    joined = chunks[0]
    for chunk in chunks[1:]:
        tail = (joined[len(joined) - overlap :] * window[:overlap]).astype(np.float32)
        head = (chunk[:overlap] * window[overlap:]).astype(np.float32)
        joined = np.concatenate([joined[: len(joined) - overlap], tail + head, chunk[overlap:]])
    return joined


@torch.no_grad()
def generate(
    loaded: VqModel, request: sda.GenerateConfig, disturb: Disturb = lambda mel: mel
) -> tuple[np.ndarray, list[Tensor]]:
    """Sound at the model's own rate, not cut to the duration; and the codes of each second."""
    assert loaded.prior is not None
    spectrogram = spectrogram_of(loaded.config)
    chunks, codes = [], []
    for i in range(max(1, math.ceil(request.duration_s))):
        torch.manual_seed(request.seed + i)
        drawn = loaded.prior.sample(request.temperature, request.top_k, request.top_p)
        mel = loaded.model.decode(drawn.reshape(-1, loaded.prior.levels))
        chunks.append(spectrogram.mel_to_waveform(disturb(mel))[0, 0].numpy())
        codes.append(drawn)
    overlap = request.overlap_samples * loaded.config.sample_rate // OVERLAP_RATE
    return join(chunks, overlap), codes
