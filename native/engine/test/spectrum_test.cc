// The parts of engine/spectrum, against formulas.
#include <cmath>
#include <complex>
#include <functional>
#include <future>
#include <limits>
#include <numbers>
#include <utility>

#include "engine/float_tensor.h"
#include "engine/spectrum/frame_fft.h"
#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/lane_fft.h"
#include "engine/spectrum/mel_scale.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/spectrum/tridiagonal.h"
#include "engine/test/support.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {
namespace {

using Complex = std::complex<double>;

std::vector<float> uniform(std::int64_t count, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  TorchRandom(seed).rand(values);
  return values;
}

// The discrete Fourier transform by its definition.
std::vector<Complex> transformed(const std::vector<Complex>& values) {
  const auto size = static_cast<std::int64_t>(values.size());
  std::vector<Complex> turns, result;
  for (std::int64_t k = 0; k < size; ++k)
    turns.push_back(std::polar(
        1.0, -2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(size)));
  for (std::int64_t k = 0; k < size; ++k) {
    Complex sum = 0.0;
    for (std::int64_t i = 0; i < size; ++i)
      sum += values[static_cast<std::size_t>(i)] * turns[static_cast<std::size_t>(k * i % size)];
    result.push_back(sum);
  }
  return result;
}

// rows × columns times columns × width
std::vector<double> product(const std::vector<float>& a, const std::vector<double>& b,
                            std::int64_t rows, std::int64_t columns) {
  const std::int64_t width = static_cast<std::int64_t>(b.size()) / columns;
  std::vector<double> result(static_cast<std::size_t>(rows * width));
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = 0; k < columns; ++k)
      for (std::int64_t j = 0; j < width; ++j)
        result[static_cast<std::size_t>(i * width + j)] +=
            double{a[static_cast<std::size_t>(i * columns + k)]} *
            b[static_cast<std::size_t>(k * width + j)];
  return result;
}

std::vector<float> transposed(const std::vector<float>& matrix, std::int64_t rows) {
  const std::int64_t columns = static_cast<std::int64_t>(matrix.size()) / rows;
  std::vector<float> result;
  for (std::int64_t j = 0; j < columns; ++j)
    for (std::int64_t i = 0; i < rows; ++i)
      result.push_back(matrix[static_cast<std::size_t>(i * columns + j)]);
  return result;
}

// The power spectrum of these mels, and the mels of that spectrum.
struct Inverted {
  std::vector<float> power;
  std::vector<double> mels;
};

Inverted invert(const MelScale& scale, std::int64_t n_mels, const std::vector<double>& mels) {
  const std::int64_t frames = static_cast<std::int64_t>(mels.size()) / n_mels;
  const std::int64_t bins = static_cast<std::int64_t>(scale.bank().size()) / n_mels;
  Inverted result;
  result.power.resize(static_cast<std::size_t>(bins * frames));
  scale.inverse(mels.data(), 1, frames, result.power.data(), {});
  result.mels = product(scale.bank(), {result.power.begin(), result.power.end()}, n_mels, bins);
  return result;
}

TEST_CASE("the mel scale has the filters of the formula, and inverts them") {
  const SpectrogramConfig config;
  const MelScale scale(config);
  CHECK(scale.full_rank());
  const auto mel = [](double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); };
  const auto hz = [](double m) { return 700.0 * (std::pow(10.0, m / 2595.0) - 1.0); };
  double worst = 0.0;
  for (int m = 0; m < 128; ++m) {
    const double left = hz(mel(24000.0) * m / 129.0);
    const double centre = hz(mel(24000.0) * (m + 1) / 129.0);
    const double right = hz(mel(24000.0) * (m + 2) / 129.0);
    for (int k = 0; k < 1025; ++k) {
      const double f = 24000.0 * k / 1024.0;
      const double expected =
          std::max(0.0, std::min((f - left) / (centre - left), (right - f) / (right - centre)));
      worst = std::max(worst, std::abs(expected - double{scale.bank()[m * 1025 + k]}));
    }
  }
  CHECK(worst < 2e-4);  // float32 rounding of the corners

  // A spectrum in the span of the filters comes back unchanged from its mel: it has least norm.
  std::vector<double> weights;
  for (const float value : uniform(128 * 5, 3)) weights.push_back(value + 0.5);
  const std::vector<double> inside = product(transposed(scale.bank(), 128), weights, 1025, 128);
  const std::vector<double> mels = product(scale.bank(), inside, 128, 1025);
  const double loudest = *std::max_element(inside.begin(), inside.end());
  CHECK(largest_difference(invert(scale, 128, mels).power, inside) / loudest < 1e-4);
}

TEST_CASE("a mel scale whose filters depend on each other is inverted too") {
  SpectrogramConfig narrow = small_config();
  narrow.n_mels = 128;  // more filters at the low end than bins
  const MelScale scale(narrow);
  CHECK_FALSE(scale.full_rank());
  std::vector<double> weights;
  for (const float value : uniform(128 * 3, 4)) weights.push_back(value + 0.5);
  const std::vector<double> inside = product(transposed(scale.bank(), 128), weights, 257, 128);
  const std::vector<double> mels = product(scale.bank(), inside, 128, 257);
  const double largest = *std::max_element(mels.begin(), mels.end());
  CHECK(largest_difference(invert(scale, 128, mels).mels, mels) / largest < 1e-4);
}

TEST_CASE("a pseudo-inverse has the four properties of Penrose") {
  // LᵀL of a bidiagonal matrix with two zero rows: of rank 10.
  const std::int64_t size = 12;
  const std::vector<float> random = noise(2 * size, 8);
  std::vector<double> diagonal(size), beside(size - 1);
  for (std::size_t row = 0; row < size; ++row) {
    if (row == 4 || row == 9) continue;
    const double a = random[2 * row], b = row + 1 < size ? random[2 * row + 1] : 0.0;
    diagonal[row] += a * a;
    if (row + 1 == size) continue;
    diagonal[row + 1] += b * b;
    beside[row] += a * b;
  }
  std::vector<float> matrix(size * size);
  std::vector<double> wide(size * size);
  for (std::size_t i = 0; i < size; ++i) {
    wide[i * size + i] = diagonal[i];
    if (i + 1 < size) wide[i * size + i + 1] = wide[(i + 1) * size + i] = beside[i];
  }
  const std::vector<double> inverse = pseudo_inverse(diagonal, beside, 1e-12, {});
  const auto times = [&](const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> result(size * size);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < size; ++k)
        for (std::size_t j = 0; j < size; ++j)
          result[i * size + j] += a[i * size + k] * b[k * size + j];
    return result;
  };
  const std::vector<double> projection = times(wide, inverse);
  CHECK(largest_difference(times(projection, wide), wide) < 1e-9);
  CHECK(largest_difference(times(times(inverse, wide), inverse), inverse) < 1e-6);
  double asymmetry = 0.0, trace = 0.0;
  for (std::size_t i = 0; i < size; ++i) {
    trace += projection[i * size + i];
    for (std::size_t j = 0; j < size; ++j)
      asymmetry =
          std::max(asymmetry, std::abs(projection[i * size + j] - projection[j * size + i]));
  }
  CHECK(asymmetry < 1e-9);
  CHECK(near(trace, 10.0, 1e-9));
}

TEST_CASE("transforms of any size are those of the definition, forwards and backwards") {
  // Powers of two, products of small primes, and sizes with large ones.
  for (const std::int64_t size : {2, 4, 6, 10, 16, 30, 62, 74, 100, 254, 400, 998, 1536, 2018}) {
    CAPTURE(size);
    const FrameFft fft(size);
    const std::vector<float> frame = noise(size, 9);
    std::vector<std::complex<float>> spectrum(static_cast<std::size_t>(fft.bins()));
    fft.forward(frame.data(), spectrum.data());
    const std::vector<Complex> expected = transformed({frame.begin(), frame.end()});
    double worst = 0.0;
    for (std::size_t k = 0; k < spectrum.size(); ++k)
      worst = std::max(worst, std::abs(Complex(spectrum[k]) - expected[k]));
    CHECK(worst < 1e-7 * static_cast<double>(size) + 1e-6);
    std::vector<float> back(frame.size());
    spectrum[0] += std::complex<float>(0.0F, 5.0F);  // does not count
    fft.inverse(spectrum.data(), back.data());
    CHECK(largest_difference(back, frame) < 1e-6);
  }
}

TEST_CASE("a complex lane transform is that of the definition, forwards and backwards") {
  CHECK_FALSE(LaneFft::fits(32));
  CHECK(LaneFft::fits(64));
  CHECK(LaneFft::fits(2048));
  CHECK_FALSE(LaneFft::fits(400));
  for (std::int64_t size = 64; size <= 4096; size *= 2) {
    const LaneFft fft(size);
    const std::int64_t half = size / 2;
    const std::vector<float> frames = noise(kLanes * size, 10);  // [size][kLanes]
    std::vector<float> rows = frames;
    fft.forward(rows.data());
    double worst = 0.0;
    // Each lane is a complex transform of half the size.
    for (const std::int64_t lane : {std::int64_t{0}, kLanes - 1}) {
      std::vector<Complex> values;
      for (std::int64_t k = 0; k < half; ++k)
        values.emplace_back(frames[2 * k * kLanes + lane], frames[(2 * k + 1) * kLanes + lane]);
      const std::vector<Complex> expected = transformed(values);
      for (std::int64_t k = 0; k < half; ++k) {
        const float* const row = rows.data() + fft.place(k) * 2 * kLanes;
        const Complex found(row[lane], row[kLanes + lane]);
        worst = std::max(worst, std::abs(found - expected[static_cast<std::size_t>(k)]));
      }
    }
    CHECK(worst < 1e-6 * static_cast<double>(size));
    fft.inverse(rows.data());
    for (float& value : rows) value /= static_cast<float>(half);
    CHECK(largest_difference(rows, frames) < 1e-5);
  }
}

// Windows frames, transforms them quarter by quarter, transforms them back and adds them up.
TEST_CASE("frames go to transforms and back to their sum") {
  const std::int64_t size = 128;
  const LaneFft fft(size);
  std::vector<float> window = uniform(size, 11);
  for (float& weight : window) weight += 0.5F;
  for (const std::int64_t hop : {32, 64, 40, 27, 128}) {
    CAPTURE(hop);
    const std::int64_t head = size - hop;
    const std::vector<float> wave = noise(7 * hop + size, 12);
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane) frames[lane] = wave.data() + lane * hop;
    std::vector<float> rows(static_cast<std::size_t>(size * kLanes)), expected(rows.size());
    lanes::gather_split(fft, frames, window.data(), rows.data());
    for (int quarter = 0; quarter < 4; ++quarter) fft.forward_quarter(rows.data(), quarter);
    for (std::int64_t i = 0; i < size; ++i)
      for (std::int64_t lane = 0; lane < kLanes; ++lane)
        expected[i * kLanes + lane] = wave[lane * hop + i] * window[i];
    fft.forward(expected.data());
    CHECK(rows == expected);

    const std::int64_t stride = (head + 15) / 16 * 16;
    std::vector<float> heads(static_cast<std::size_t>(kLanes * stride), 9.0F),
        body(static_cast<std::size_t>(kLanes * hop), 9.0F);
    for (int quarter = 0; quarter < 4; ++quarter) fft.inverse_quarter(rows.data(), quarter);
    lanes::join_add(fft, rows.data(), window.data(),
                    {hop, head, heads.data(), stride, body.data()});
    std::vector<float> sum(wave.size());
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      for (std::int64_t i = 0; i < size; ++i)
        sum[lane * hop + i] +=
            wave[lane * hop + i] * window[i] * window[i] * static_cast<float>(size / 2);
    CHECK(largest_difference(body, std::vector<float>(sum.begin() + head,
                                                      sum.begin() + head + kLanes * hop)) < 1e-2);
    std::vector<float> front(static_cast<std::size_t>(head));
    for (std::int64_t lane = 0; lane * hop < head; ++lane)
      for (std::int64_t i = lane * hop; i < head; ++i) front[i] += heads[lane * stride + i];
    CHECK(largest_difference(front, std::vector<float>(sum.begin(), sum.begin() + head)) < 1e-2);
  }
}

TEST_CASE("a real lane transform is that of the definition") {
  for (const std::int64_t size : {64, 256, 2048}) {
    const LaneFft fft(size);
    const std::vector<float> wave = noise(kLanes * size, 13), window = uniform(size, 14);
    std::vector<float> half_window = window;
    for (float& weight : half_window) weight *= 0.5F;
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane) frames[lane] = wave.data() + lane * size;
    std::vector<float> rows(static_cast<std::size_t>(size * kLanes)),
        spectra(static_cast<std::size_t>(fft.bins() * 2 * kLanes));
    lanes::real_forward(fft, frames, half_window.data(), rows.data(), spectra.data());
    const std::int64_t lane = 5;
    std::vector<Complex> values;
    for (std::int64_t i = 0; i < size; ++i)
      values.emplace_back(double{wave[lane * size + i]} * window[i]);
    const std::vector<Complex> expected = transformed(values);
    double worst = 0.0;
    for (std::int64_t k = 0; k < fft.bins(); ++k) {
      const float* const row = spectra.data() + k * 2 * kLanes;
      worst = std::max(worst, std::abs(Complex(row[lane], row[kLanes + lane]) -
                                       expected[static_cast<std::size_t>(k)]));
    }
    CHECK(worst < 1e-4);
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
      task = [this] { work_(); };
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
  result_of(done);
}

// native/libtorch compares the waves with torch's.
TEST_CASE("Griffin-Lim gives the same wave with any number of threads, and can be cancelled") {
  for (const auto& [n_fft, hop] :
       {std::pair{512, 128}, {512, 200}, {512, 61}, {64, 16}, {400, 160}}) {
    const Stft stft(n_fft, hop);
    CAPTURE(stft.n_fft());
    const FloatTensor magnitude = tensor_of({2, stft.bins(), 30}, uniform(2 * stft.bins() * 30, 5));
    const FloatTensor phase =
        tensor_of({2, stft.bins(), 30, 2}, uniform(2 * stft.bins() * 30 * 2, 6));
    const std::vector<float> alone = values_of(griffin_lim(stft, magnitude, phase, 64, {}));
    CHECK(static_cast<std::int64_t>(alone.size()) == 2 * 29 * hop);
    for (std::size_t count : {1, 2, 3}) {
      Scheduler::shared().configure({count, 8});
      std::vector<float> shared;
      on_engine([&] { shared = values_of(griffin_lim(stft, magnitude, phase, 64, {})); });
      CHECK(shared == alone);
    }
    CancelToken cancelled;
    cancelled.cancel();
    bool stopped = false;
    try {
      griffin_lim(stft, magnitude, phase, 64, cancelled);
    } catch (const Cancelled&) {
      stopped = true;
    }
    CHECK(stopped);
  }
}

TEST_CASE("configurations and arguments out of range are refused") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto config_refused = [](const std::string& name, auto change) {
    SpectrogramConfig config;
    change(config);
    return throws(ErrorCode::kSchema, "field", name, [&] { Spectrogram::create(config, 64); });
  };
  CHECK(config_refused("n_fft", [](auto& c) { c.n_fft = std::int64_t{1} << 40; }));
  CHECK(config_refused("n_fft", [](auto& c) { c.n_fft = 511; }));
  CHECK(config_refused("hop_length", [](auto& c) { c.hop_length = 0; }));
  CHECK(config_refused("n_mels", [](auto& c) { c.n_mels = -1; }));
  CHECK(config_refused("sample_rate", [](auto& c) { c.sample_rate = 0; }));
  CHECK(config_refused("f_max", [](auto& c) { c.f_max = 0.0; }));
  CHECK(config_refused("power", [&](auto& c) { c.power = nan; }));

  const auto spectrogram = Spectrogram::create(small_config(), 64);
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
