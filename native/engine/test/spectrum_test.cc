// The parts of engine/spectrum, against formulas and ATen.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fft_c2c.h>
#include <ATen/ops/_fft_r2c.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/linalg_pinv.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/real.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <functional>
#include <future>
#include <limits>
#include <utility>

#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/lane_fft.h"
#include "engine/spectrum/mel_scale.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/test/support.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {
namespace {

TEST_CASE("the mel scale has the filters of the formula, and inverts them") {
  const c10::InferenceMode guard;
  const SpectrogramConfig config;
  const MelScale scale(config);
  CHECK(scale.full_rank());
  const auto mel = [](double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); };
  const auto hz = [](double m) { return 700.0 * (std::pow(10.0, m / 2595.0) - 1.0); };
  double worst = 0.0;
  const auto bank = scale.bank();
  const float* weights = bank.const_data_ptr<float>();
  for (int m = 0; m < 128; ++m) {
    const double left = hz(mel(24000.0) * m / 129.0);
    const double centre = hz(mel(24000.0) * (m + 1) / 129.0);
    const double right = hz(mel(24000.0) * (m + 2) / 129.0);
    for (int k = 0; k < 1025; ++k) {
      const double f = 24000.0 * k / 1024.0;
      const double expected =
          std::max(0.0, std::min((f - left) / (centre - left), (right - f) / (right - centre)));
      worst = std::max(worst, std::abs(expected - static_cast<double>(weights[m * 1025 + k])));
    }
  }
  CHECK(worst < 2e-4);  // float32 rounding of the corners

  // A spectrum in the span of the filters comes back unchanged from its mel.
  const at::Tensor mels = at::rand({2, 128, 5}, at::kFloat) + 0.5;
  const at::Tensor inside = bank.t().matmul(mels);
  CHECK(((scale.inverse(bank.matmul(inside), {}) - inside).abs().max() / inside.max())
            .item<double>() < 1e-4);

  // Any other mel gives the exact solution, up to float32's rounding, also where the clamp to 0
  // changes it.
  const at::Tensor exact =
      at::linalg_pinv(bank.to(at::kDouble)).matmul(mels.to(at::kDouble)).relu();
  CHECK(((scale.inverse(mels, {}) - exact).abs().max() / exact.max()).item<double>() < 1e-5);

  SpectrogramConfig narrow = small_config();
  narrow.n_mels = 128;  // more filters at the low end than bins
  const MelScale deficient(narrow);
  CHECK_FALSE(deficient.full_rank());
  const at::Tensor spectrum = deficient.bank().t().matmul(at::rand({1, 128, 3}) + 0.5);
  const at::Tensor target = deficient.bank().matmul(spectrum);
  CHECK(
      ((deficient.bank().matmul(deficient.inverse(target, {})) - target).abs().max() / target.max())
          .item<double>() < 1e-4);
}

TEST_CASE("a complex lane transform is the one of ATen, forwards and backwards") {
  const c10::InferenceMode guard;
  CHECK_FALSE(LaneFft::fits(32));
  CHECK(LaneFft::fits(64));
  CHECK(LaneFft::fits(2048));
  CHECK_FALSE(LaneFft::fits(400));
  for (std::int64_t size = 64; size <= 4096; size *= 2) {
    const LaneFft fft(size);
    const std::int64_t half = size / 2;
    const at::Tensor frames = at::randn({kLanes, size}, at::kFloat);
    // Each lane is a complex transform of half the size.
    const at::Tensor expected =
        at::_fft_c2c(at::view_as_complex(frames.view({kLanes, half, 2}).to(at::kDouble)), {1}, 0,
                     /*forward=*/true);
    at::Tensor rows = frames.t().contiguous();
    fft.forward(rows.data_ptr<float>());
    const at::Tensor found = rows.view({half, 2, kLanes});
    double worst = 0.0;
    for (std::int64_t k = 0; k < half; ++k) {
      const at::Tensor row = found[fft.place(k)].to(at::kDouble);
      const at::Tensor wanted = expected.select(1, k);
      worst = std::max(worst, (row[0] - at::real(wanted)).abs().max().item<double>());
      worst = std::max(worst, (row[1] - at::imag(wanted)).abs().max().item<double>());
    }
    CHECK(worst < 1e-6 * static_cast<double>(size));
    fft.inverse(rows.data_ptr<float>());
    CHECK((rows / static_cast<double>(half) - frames.t()).abs().max().item<double>() < 1e-5);
  }
}

// Windows frames, transforms them quarter by quarter, transforms them back and adds them up.
TEST_CASE("frames go to transforms and back to their sum") {
  const c10::InferenceMode guard;
  const std::int64_t size = 128;
  const LaneFft fft(size);
  const at::Tensor window = at::rand({size}, at::kFloat) + 0.5;
  for (const std::int64_t hop : {32, 64, 40, 27, 128}) {
    const std::int64_t head = size - hop;
    const at::Tensor wave = at::randn({7 * hop + size}, at::kFloat);
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      frames[lane] = wave.const_data_ptr<float>() + lane * hop;
    at::Tensor rows = at::empty({size, kLanes}), expected = at::empty({size, kLanes});
    lanes::gather_split(fft, frames, window.const_data_ptr<float>(), rows.data_ptr<float>());
    for (int quarter = 0; quarter < 4; ++quarter)
      fft.forward_quarter(rows.data_ptr<float>(), quarter);
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      expected.select(1, lane).copy_(wave.narrow(0, lane * hop, size) * window);
    fft.forward(expected.data_ptr<float>());
    CHECK(at::equal(rows, expected));

    const std::int64_t stride = (head + 15) / 16 * 16;
    at::Tensor heads = at::full({kLanes, stride}, 9.0F), body = at::full({kLanes * hop}, 9.0F);
    for (int quarter = 0; quarter < 4; ++quarter)
      fft.inverse_quarter(rows.data_ptr<float>(), quarter);
    lanes::join_add(fft, rows.const_data_ptr<float>(), window.const_data_ptr<float>(),
                    {hop, head, heads.data_ptr<float>(), stride, body.data_ptr<float>()});
    at::Tensor sum = at::zeros({7 * hop + size});
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      sum.narrow(0, lane * hop, size)
          .add_(wave.narrow(0, lane * hop, size) * window * window * (size / 2.0));
    CHECK((body - sum.narrow(0, head, kLanes * hop)).abs().max().item<double>() < 1e-2);
    at::Tensor front = at::zeros({std::max<std::int64_t>(head, 1)});
    for (std::int64_t lane = 0; lane * hop < head; ++lane)
      front.narrow(0, lane * hop, head - lane * hop)
          .add_(heads[lane].narrow(0, lane * hop, head - lane * hop));
    if (head > 0) CHECK((front - sum.narrow(0, 0, head)).abs().max().item<double>() < 1e-2);
  }
}

TEST_CASE("a real lane transform is the one of ATen") {
  const c10::InferenceMode guard;
  for (const std::int64_t size : {64, 256, 2048}) {
    const LaneFft fft(size);
    const at::Tensor wave = at::randn({kLanes, size}), window = at::rand({size});
    const at::Tensor half_window = window * 0.5;
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      frames[lane] = wave.const_data_ptr<float>() + lane * size;
    at::Tensor rows = at::empty({size, kLanes}), spectra = at::empty({fft.bins(), 2, kLanes});
    lanes::real_forward(fft, frames, half_window.const_data_ptr<float>(), rows.data_ptr<float>(),
                        spectra.data_ptr<float>());
    const at::Tensor expected = at::_fft_r2c((wave * window).to(at::kDouble), {1}, 0, true);
    const at::Tensor found = spectra.to(at::kDouble).permute({2, 0, 1}).contiguous();
    CHECK((at::view_as_complex(found) - expected).abs().max().item<double>() < 1e-4);
  }
}

// Runs `work` as a task on an engine thread, where other threads may help it.
void on_engine(const std::function<void()>& work) {
  class Once final : public Request {
   public:
    Once(const std::function<void()>& work, std::promise<void>& done)
        : Request(std::make_shared<CancelToken>()), work_(work), done_(done) {}

   protected:
    Next next(Task& task) override {
      if (std::exchange(begun_, true)) return Next::kEnd;
      task = [this] {
        const c10::InferenceMode guard;
        work_();
      };
      return Next::kTask;
    }
    void ended(std::exception_ptr failure) noexcept override {
      failure ? done_.set_exception(failure) : done_.set_value();
    }

   private:
    const std::function<void()>& work_;
    std::promise<void>& done_;
    bool begun_ = false;
  };
  std::promise<void> done;
  Scheduler::shared().start(std::make_shared<Once>(work, done));
  done.get_future().get();
}

TEST_CASE("Griffin-Lim gives the wave of the ATen version, with any number of threads") {
  const c10::InferenceMode guard;
  for (const auto& [n_fft, hop] :
       {std::pair{512, 128}, {1024, 256}, {512, 200}, {512, 61}, {512, 50}, {64, 16}, {400, 160}}) {
    const Stft stft(n_fft, hop);
    at::Generator generator = make_cpu_generator(5);
    const at::Tensor magnitude = at::rand({2, stft.bins(), 30}, generator, at::kFloat);
    const at::Tensor phase = at::rand({2, stft.bins(), 30}, generator, at::kComplexFloat);
    const at::Tensor fused = griffin_lim(stft, magnitude, phase, {});
    const at::Tensor plain = griffin_lim_aten(stft, magnitude, phase, {});
    CHECK(fused.sizes() == plain.sizes());
    CHECK(fused.size(1) == 29 * hop);
    const double norms = (fused.norm() * plain.norm()).item<double>();
    CHECK((fused * plain).sum().item<double>() / norms > 0.9999);
    for (std::size_t count : {1, 2, 3}) {
      Scheduler::shared().configure({count, 8});
      at::Tensor shared;
      on_engine([&] { shared = griffin_lim(stft, magnitude, phase, {}); });
      CHECK(at::equal(shared, fused));
    }
  }
  CancelToken cancelled;
  cancelled.cancel();
  bool stopped = false;
  try {
    griffin_lim(Stft(512, 128), at::rand({1, 257, 30}), at::rand({1, 257, 30}, at::kComplexFloat),
                cancelled);
  } catch (const Cancelled&) {
    stopped = true;
  }
  CHECK(stopped);
}

TEST_CASE("configurations and arguments out of range are refused") {
  const c10::InferenceMode guard;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto config_refused = [](const std::string& name, auto change) {
    SpectrogramConfig config;
    change(config);
    return throws(ErrorCode::kSchema, "field", name, [&] { Spectrogram::create(config, "cpu"); });
  };
  CHECK(config_refused("n_fft", [](auto& c) { c.n_fft = std::int64_t{1} << 40; }));
  CHECK(config_refused("n_fft", [](auto& c) { c.n_fft = 511; }));
  CHECK(config_refused("hop_length", [](auto& c) { c.hop_length = 0; }));
  CHECK(config_refused("n_mels", [](auto& c) { c.n_mels = -1; }));
  CHECK(config_refused("sample_rate", [](auto& c) { c.sample_rate = 0; }));
  CHECK(config_refused("f_max", [](auto& c) { c.f_max = 0.0; }));
  CHECK(config_refused("power", [&](auto& c) { c.power = nan; }));

  const auto spectrogram = Spectrogram::create(small_config(), "cpu");
  CHECK(throws(ErrorCode::kArgument, "", "", [&] {
    spectrogram->mel_to_waveform(filled({1, 1, 32, 2}, 0.0F), 0, {});
  }));
  CHECK(throws(ErrorCode::kArgument, "", "", [&] {
    spectrogram->waveform_to_mel(filled({1, 1, 256}, 0.0F), {});
  }));
  CHECK(throws(ErrorCode::kArgument, "option", "mel", [&] {
    spectrogram->mel_to_waveform(filled({1, 1, 32, 9}, static_cast<float>(nan)), 0, {});
  }));
}

}  // namespace
}  // namespace sda::engine
