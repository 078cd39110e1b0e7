// The parts of engine/sound, against formulas and values of scipy.
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "engine/generation/finishing.h"
#include "engine/sound/butterworth.h"
#include "engine/sound/joining.h"
#include "engine/sound/loudness.h"
#include "engine/sound/pcm.h"
#include "engine/sound/quality.h"
#include "engine/sound/resample.h"
#include "engine/sound/spatial.h"
#include "engine/test/support.h"

namespace sda::engine {
namespace {

std::vector<float> low_passed(const std::vector<float>& signal, std::size_t piece, double rate) {
  ZeroPhaseFilter filter(butterworth_low_pass(8, 20000.0, rate));
  std::vector<float> out;
  for (std::size_t at = 0; at < signal.size(); at += piece)
    filter.push(signal.data() + at, std::min(piece, signal.size() - at), out);
  filter.finish(out);
  return out;
}

TEST_CASE("the low-pass gives the values of scipy.signal.sosfiltfilt, for any pieces") {
  std::vector<float> signal(200);
  for (int i = 0; i < 200; ++i) {
    signal[i] = static_cast<float>(std::sin(0.3 * i) + 0.5 * std::cos(2.9 * i) + 0.1);
  }
  const std::vector<float> filtered = low_passed(signal, signal.size(), 48000.0);
  // scipy.signal.sosfiltfilt(butter(8, 20000/24000, output="sos"), signal)
  const std::pair<int, double> expected[] = {{0, 0.5978779738181043},    {1, 0.03706458700760629},
                                             {50, 0.7512893983508528},   {120, -0.891741848333933},
                                             {198, 0.18025133416973624}, {199, 0.3790501466478783}};
  CHECK(filtered.size() == signal.size());
  for (const auto& [i, value] : expected) CHECK(near(filtered[i], value, 2e-6));
  CHECK(near(low_passed({0.5F}, 1, 48000.0)[0], 0.5, 1e-6));
  CHECK(low_passed({}, 1, 48000.0).empty());

  // The result depends neither on the pieces nor on the blocks: it is that of one backward pass
  // from the end.
  const std::vector<float> wave = noise(40000);
  for (const double rate : {48000.0, 44100.0, 40050.0}) {
    const std::vector<float> whole = low_passed(wave, wave.size(), rate);
    CHECK(low_passed(wave, 1000, rate) == whole);
    CHECK(low_passed(wave, 7, rate) == whole);
    const std::vector<float> end(wave.begin() + 15000, wave.end());
    const std::vector<float> of_end = low_passed(end, end.size(), rate);
    double worst = 0.0;
    if (rate > 41000.0)
      for (std::size_t i = 4000; i < end.size(); ++i)
        worst = std::max(worst, static_cast<double>(std::abs(of_end[i] - whole[i + 15000])));
    CHECK(worst < 1e-6);
  }
}

std::vector<float> resampled(const std::vector<float>& signal, std::int64_t from, std::int64_t to,
                             std::size_t piece) {
  Resampler resampler(from, to);
  std::vector<float> out;
  for (std::size_t at = 0; at < signal.size(); at += piece)
    resampler.push(signal.data() + at, std::min(piece, signal.size() - at), out);
  resampler.finish(out);
  return out;
}

TEST_CASE("resampling keeps a tone, for any pieces") {
  CHECK(resampled(std::vector<float>(47616), 48000, 44100, 47616).size() == 43748);
  CHECK(resampled(std::vector<float>(101), 16000, 48000, 101).size() == 303);
  for (const auto& [from, to] : {std::pair{48000, 44100}, {16000, 48000}, {48000, 96000}}) {
    const std::vector<float> signal = tone(1000.0, from, 4000);
    const std::vector<float> result = resampled(signal, from, to, signal.size());
    const std::vector<float> wanted = tone(1000.0, to, result.size());
    double worst = 0.0;
    for (std::size_t i = 200; i + 200 < result.size(); ++i) {
      worst = std::max(worst, static_cast<double>(std::abs(result[i] - wanted[i])));
    }
    CHECK(worst < 5e-3);  // the window's ripple
    for (const std::size_t piece : {1, 13, 999})
      CHECK(resampled(signal, from, to, piece) == result);
  }
  CHECK(resampled({1.0F, 2.0F}, 48000, 48000, 1) == std::vector<float>({1.0F, 2.0F}));
}

TEST_CASE("running loudness follows the first piece, and softens before a louder one") {
  const auto run = [](std::vector<Channels> pieces) {
    RunningGain gain(1000);  // holds 10 samples back
    Channels all(pieces[0].size());
    const auto take = [&](const Channels& some) {
      for (std::size_t c = 0; c < some.size(); ++c)
        all[c].insert(all[c].end(), some[c].begin(), some[c].end());
    };
    for (Channels& piece : pieces) {
      gain.process(piece);
      take(piece);
    }
    take(gain.finish());
    return all;
  };
  // The first piece sets the gain. Before the louder piece, the gain falls on a straight line.
  const Channels made = run({{std::vector<float>(50, 0.25F)},
                             {std::vector<float>(50, 0.5F)},
                             {std::vector<float>(50, 0.1F)}});
  CHECK(made[0].size() == 150);
  CHECK(near(made[0][0], 0.891, 1e-6));
  CHECK(near(made[0][39], 0.891, 1e-6));
  CHECK(near(made[0][49], 0.4455, 1e-6));
  CHECK(made[0][45] < made[0][44]);
  CHECK(near(made[0][50], 0.891, 1e-6));
  CHECK(near(made[0][149], 0.1782, 1e-6));
  // A silent piece sets no gain. The peak is that of both channels. Pieces may be shorter than the
  // held-back part.
  const Channels quiet = run({{std::vector<float>(20), std::vector<float>(20)},
                              {std::vector<float>(4, 0.1F), std::vector<float>(4, -0.2F)},
                              {std::vector<float>(3, 0.1F), std::vector<float>(3, 0.1F)}});
  CHECK(quiet[0].size() == 27);
  CHECK(quiet[0][19] == 0.0F);
  CHECK(near(quiet[0][20], 0.4455, 1e-6));
  CHECK(near(quiet[1][20], -0.891, 1e-6));

  Channels audio = {{0.1F, -0.5F}, {0.2F, 0.3F}};
  scale_to_peak(audio, peak_of(audio));
  CHECK(near(audio[0][1], -0.891, 1e-6));
  CHECK(near(audio[1][0], 0.3564, 1e-6));
  audio = {{0.0F, 0.0F}};
  scale_to_peak(audio, peak_of(audio));
  CHECK(audio[0][0] == 0.0F);
}

std::vector<float> joined(std::int64_t overlap, Joint joint,
                          const std::vector<std::vector<float>>& chunks) {
  Joiner joiner(overlap, joint);
  std::vector<float> audio;
  for (const std::vector<float>& chunk : chunks)
    joiner.append(chunk.data(), static_cast<std::int64_t>(chunk.size()), audio);
  joiner.finish(audio);
  return audio;
}

TEST_CASE("chunks fade into each other") {
  const std::vector<float> ones(8, 1.0F), zeros(8, 0.0F);
  std::vector<float> audio = joined(4, Joint::kEqualPower, {ones, ones});
  CHECK(audio.size() == 12);
  for (int i = 4; i < 8; ++i) {
    CHECK(audio[i] >= 1.0F);
    CHECK(audio[i] <= std::numbers::sqrt2_v<float> + 1e-6F);
  }

  audio = joined(4, Joint::kPython, {ones, zeros});
  const double hanning[] = {0.0, 0.188255099, 0.611260467, 0.950484434};  // numpy.hanning(8)
  for (int i = 0; i < 4; ++i) CHECK(near(audio[4 + i], hanning[i], 1e-6));

  // A chunk shorter than the overlap; and no overlap.
  CHECK(joined(4, Joint::kPython, {{1.0F, 1.0F}, ones}).size() == 8);
  CHECK(joined(0, Joint::kPython, {ones, zeros}).size() == 16);
}

TEST_CASE("stereo delays the right channel, and depth adds a reflection") {
  const std::vector<float> mono = tone(440.0, 1000.0, 100);
  const auto spread = [&](SpatialMode mode, double width, double depth, std::size_t piece) {
    Spatialiser spatialiser(mode, width, depth, 1000);
    Channels all;
    for (std::size_t at = 0; at < mono.size(); at += piece) {
      const auto begin = mono.begin() + static_cast<std::ptrdiff_t>(at);
      Channels some(mode == SpatialMode::kDualSeed ? 2 : 1,
                    std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(piece)));
      spatialiser.process(some);
      all.resize(some.size());
      for (std::size_t c = 0; c < some.size(); ++c)
        all[c].insert(all[c].end(), some[c].begin(), some[c].end());
    }
    return all;
  };
  const Channels wide = spread(SpatialMode::kStereo, 1.0, 0.0, 100);
  CHECK(near(wide[0][50], mono[50], 1e-6));
  CHECK(near(wide[1][50], mono[35], 1e-6));
  CHECK(wide[1][0] == 0.0F);
  CHECK(spread(SpatialMode::kMono, 1.0, 1.0, 100) == Channels{mono});
  const Channels deep = spread(SpatialMode::kStereo, 1.0, 0.5, 100);
  CHECK(near(deep[0][60], wide[0][60] + 0.075 * wide[0][40], 1e-6));
  CHECK(spread(SpatialMode::kStereo, 1.0, 0.5, 5) == deep);
  const Channels dual = spread(SpatialMode::kDualSeed, 0.0, 0.0, 100);  // a depth of 0.3
  CHECK(near(dual[1][60], mono[60] + 0.045 * mono[48], 1e-6));
}

TEST_CASE("quality counts clipped samples and compares signal with noise") {
  std::vector<std::vector<float>> audio = {std::vector<float>(1000, 0.5F)};
  for (int i = 500; i < 1000; ++i) audio[0][i] = 0.005F;
  CHECK(near(measure_quality(audio, 1000).snr_db, 40.0, 1e-3));
  audio = {{0.0F, 1.0F, -1.0F, 0.0F, 0.9995F}};
  const Quality clipped = measure_quality(audio, 100);
  CHECK(clipped.clipped_samples == 3);
  CHECK(clipped.max_consecutive_clipped == 2);
  CHECK(measure_quality({std::vector<float>(1000, 0.0F)}, 1000).snr_db == 0.0);
}

// The plain formula, in double precision.
std::int64_t nearest(float sample, double scale) {
  const double level = std::floor(double{sample} * scale + 0.5);
  return static_cast<std::int64_t>(std::min(std::max(level, -scale), scale - 1));
}

TEST_CASE("samples become the nearest levels, in little-endian order") {
  std::vector<float> samples = {0.0F,  1.0F,     -1.0F,     1.5F,     -1e30F,
                                1e30F, 0x1p-24F, -0x1p-24F, 0x1p-149F};
  for (int i = -40; i <= 40; ++i) {
    // Half a level, and its neighbours on both sides.
    for (const float half : {std::ldexp(0.5F, -15), std::ldexp(0.5F, -23)}) {
      const float at = static_cast<float>(i) * half;
      for (const float beside : {-2.0F, at, 2.0F}) samples.push_back(std::nextafter(at, beside));
    }
    samples.push_back(std::sin(static_cast<float>(i * i)));
  }
  std::vector<std::uint8_t> bytes(samples.size() * 4);
  for (const auto format : {PcmFormat::kInt16, PcmFormat::kInt24}) {
    const std::size_t size = bytes_per_sample(format);
    CHECK(encode_pcm(samples.data(), samples.size(), format, bytes.data()));
    bool all_nearest = true;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::int64_t level =
          nearest(samples[i], std::ldexp(1.0, 8 * static_cast<int>(size) - 1));
      for (std::size_t b = 0; b < size; ++b)
        all_nearest &= bytes[i * size + b] == static_cast<std::uint8_t>(level >> (8 * b));
    }
    CHECK(all_nearest);
  }
  CHECK(encode_pcm(samples.data(), samples.size(), PcmFormat::kFloat32, bytes.data()));
  CHECK(std::memcmp(bytes.data(), samples.data(), bytes.size()) == 0);
  for (const float odd : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    samples[20] = odd;
    CHECK_FALSE(encode_pcm(samples.data(), samples.size(), PcmFormat::kInt24, bytes.data()));
  }
}

}  // namespace
}  // namespace sda::engine
