// Measures each part of making one second of sound, on one thread and without Node:
//   engine_bench MODEL.sda [RUNS]
// Prints the medians in milliseconds as JSON. The model must have the default spectrogram
// configuration. `ffts` measures the transforms of Griffin-Lim alone; `library_ffts` measures as
// many transforms, in batches, by the FFT library in LibTorch.
#include <ATen/Parallel.h>
#include <ATen/ops/_fft_c2r.h>
#include <ATen/ops/_fft_r2c.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/state_dict.h"
#include "engine/bench/median.h"
#include "engine/float_tensor.h"
#include "engine/generation/finishing.h"
#include "engine/generation/latent_source.h"
#include "engine/network/conv_vae.h"
#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/spectral_tables.h"
#include "engine/spectrum/spectrogram.h"

namespace sda::engine {
namespace {

// Does 2 · times forward transforms of each block: an inverse transform takes as long as a forward
// one.
void transform_all(const Stft& stft, const FloatTensor& wave, std::int64_t blocks, int times,
                   FloatTensor& rows, FloatTensor& spectra) {
  const LaneFft& fft = *stft.lane_fft();
  const float* frames[kLanes];
  for (int i = 0; i < 2 * times; ++i)
    for (std::int64_t block = 0; block < blocks; ++block) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane)
        frames[lane] = wave.data.get() + (block * kLanes + lane) * stft.hop();
      lanes::real_forward(fft, frames, stft.half_window().data(), rows.data.get(),
                          spectra.data.get() + block * fft.bins() * 2 * kLanes);
    }
}

int run(const std::string& path, int runs) {
  const c10::InferenceMode guard;
  const auto document = Document::open(path, {});
  const StateDict weights = state_dict(document, "model_state_dict");
  const auto fc = std::find_if(weights.begin(), weights.end(), [](const NamedTensor& tensor) {
    return tensor.name == "decoder.fc.weight";
  });
  const SpectrogramConfig config;
  const VaeShape shape(engine::Network::kSigmoid, fc->shape.at(1), config);
  const ConvVae vae(shape, collect_weights(weights, shape));
  const auto tables = SpectralTables::of(config);
  const Stft& stft = tables->stft;
  GenerateOptions options;
  const CancelToken cancel;

  LatentSource source(options, vae.latent_dim(), 1);
  const FloatTensor z = stack({source.latent(0)});
  const FloatTensor mel = vae.decode(z, cancel);
  const std::int64_t frames = mel.shape[3];
  const FloatTensor phases = source.phases(stft.bins(), frames);
  const auto spectrogram = std::make_shared<const SpectrogramImpl>(config, 64, tables);
  Instrument instrument;
  instrument.spectrogram = spectrogram;
  const FloatTensor loud = spectrogram->magnitude_of(mel, cancel);
  const FloatTensor wave = griffin_lim(stft, loud, phases, 64, cancel);
  const Channels chunk = {{wave.data.get(), wave.data.get() + wave.numel()}};

  const std::int64_t blocks = (frames + kLanes - 1) / kLanes;
  FloatTensor rows = make_tensor({stft.n_fft(), kLanes});
  FloatTensor spectra = make_tensor({blocks, stft.bins(), 2, kLanes});
  const FloatTensor long_wave = make_tensor({blocks * kLanes * stft.hop() + stft.n_fft()});
  TorchRandom(2).rand({long_wave.data.get(), static_cast<std::size_t>(long_wave.numel())});
  const at::Tensor batch = at::rand({frames, stft.n_fft()}, at::kFloat);

  std::printf("{\"decode\": %.4f, ", median_ms(runs, [&] { vae.decode(z, cancel); }));
  std::printf("\"draw\": %.4f, ", median_ms(runs, [&] { source.phases(stft.bins(), frames); }));
  std::printf("\"inverse_mel\": %.4f, ",
              median_ms(runs, [&] { spectrogram->magnitude_of(mel, cancel); }));
  std::printf("\"griffin_lim\": %.4f, ",
              median_ms(runs, [&] { griffin_lim(stft, loud, phases, 64, cancel); }));
  std::printf("\"finishing\": %.4f, ", median_ms(runs, [&] {
                Channels done = Assembly(instrument, options).append(chunk, true);
                scale_to_peak(done, peak_of(done));
              }));
  std::printf("\"ffts\": %.4f, ",
              median_ms(runs, [&] { transform_all(stft, long_wave, blocks, 64, rows, spectra); }));
  std::printf("\"library_ffts\": %.4f}\n", median_ms(runs, [&] {
                for (int i = 0; i < 64; ++i)
                  at::_fft_c2r(at::_fft_r2c(batch, {1}, 0, true), {1}, 2, stft.n_fft());
              }));
  return 0;
}

}  // namespace
}  // namespace sda::engine

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: engine_bench MODEL.sda [RUNS]\n");
    return 2;
  }
  at::set_num_threads(1);
  try {
    return sda::engine::run(argv[1], argc > 2 ? std::max(1, std::atoi(argv[2])) : 50);
  } catch (const sda::Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 1;
}
