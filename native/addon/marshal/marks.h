// What a value was in Python where its JavaScript form does not show it.
#pragma once

#include <cstdint>

#include "checkpoint/tensor/dtype.h"

namespace sda::addon {

// Facts about a value that its JavaScript form does not show; lib/values/provenance.ts keeps them
// and has the same bits as MARK.
enum Mark : std::uint32_t {
  kMarkFrozenSet = 1,
  kMarkByteArray = 2,
  kMarkRequiresGrad = 4,
  kMarkParameter = 8,
  kMarkStorage = 16,
  kMarkUntyped = 32,
  kMarkSize = 64,
  kMarkElsewhere = 128,
  kMarkHooked = 256,
  kMarkBigEndian = 512,
  kMarkConjugate = 1024,
};

// The kind of a slot: kSlotFloat for a float without a fraction, kSlotScalar plus the dtype for a
// numpy scalar, or kSlotVersion for a TorchVersion, which is a str.
inline constexpr std::uint8_t kSlotFloat = 1;
inline constexpr std::uint8_t kSlotScalar = 2;
inline constexpr std::uint8_t kSlotVersion = 63;
// A slot is one number: index * kSlotKinds + kind.
inline constexpr double kSlotKinds = 64;
static_assert(kSlotScalar + kDTypeCount <= kSlotVersion && kSlotVersion < kSlotKinds);

}  // namespace sda::addon
