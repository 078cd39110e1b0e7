// The limits of generation, in one place for C++. lib/audio/limits.ts states the same facts for
// TypeScript. The addon exports this table as generationLimits(), and test/audio/limits.test.ts
// compares the two.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "engine/engine.h"

namespace sda::engine::limits {

// Both ends are allowed.
template <typename T>
struct Range {
  T min, max;
  // False for NaN.
  constexpr bool contains(T value) const noexcept { return value >= min && value <= max; }
};

inline constexpr double kDurationAbove = 0.0;  // seconds; this value itself is refused
inline constexpr double kDurationMax = 60.0;   // seconds
inline constexpr Range<std::int64_t> kStepsBetween = {1, 1000};
// "peak" holds every chunk until the peak is known; this many take under a gigabyte.
inline constexpr Range<std::int64_t> kChunks = {1, 1024};
// Samples at 48 kHz: at most half of a chunk. With more, a chunk would fade into the fade of its
// successor.
inline constexpr Range<std::int64_t> kOverlapSamples = {0, 24000};
inline constexpr Range<double> kWidth = {0.0, 1.5};
inline constexpr Range<double> kDepth = {0.0, 1.0};
inline constexpr std::array<std::int64_t, 3> kSampleRates = {44100, 48000, 96000};  // Hz

inline constexpr Range<double> kEvolution = {0.0, 1.0};
inline constexpr Range<double> kTemperature = {0.01, 100.0};
inline constexpr Range<std::int64_t> kTopK = {0, std::int64_t{1} << 20};  // 0: all codes
inline constexpr Range<double> kTopP = {0.0, 1.0};

// The names that JavaScript uses, with their meaning here.
template <typename T, std::size_t count>
using Choices = std::array<std::pair<std::string_view, T>, count>;

inline constexpr Choices<ConcatMode, 2> kConcatModes = {{
    {"crossfade", ConcatMode::kCrossfade},
    {"latent_interpolation", ConcatMode::kLatentInterpolation},
}};
inline constexpr Choices<Joint, 2> kJoints = {{
    {"python", Joint::kPython},
    {"equal-power", Joint::kEqualPower},
}};
inline constexpr Choices<SpatialMode, 3> kSpatialModes = {{
    {"mono", SpatialMode::kMono},
    {"stereo", SpatialMode::kStereo},
    {"dual_seed", SpatialMode::kDualSeed},
}};
inline constexpr Choices<Loudness, 3> kLoudnesses = {{
    {"peak", Loudness::kPeak},
    {"running", Loudness::kRunning},
    {"none", Loudness::kNone},
}};

}  // namespace sda::engine::limits
