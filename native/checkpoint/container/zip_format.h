// Constants of the zip format (PKWARE's APPNOTE) for the reader and the writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sda::zip_format {

inline constexpr std::uint32_t kLocalSignature = 0x04034b50;
inline constexpr std::uint32_t kDescriptorSignature = 0x08074b50;
inline constexpr std::uint32_t kCentralSignature = 0x02014b50;
inline constexpr std::uint32_t kEndSignature = 0x06054b50;
inline constexpr std::uint32_t kEnd64Signature = 0x06064b50;
inline constexpr std::uint32_t kLocator64Signature = 0x07064b50;

// kLocalSignature as the bytes that a file begins with.
inline constexpr std::string_view kMagic = "PK\3\4";
static_assert(kMagic[0] == (kLocalSignature & 0xFF) && kMagic[1] == (kLocalSignature >> 8 & 0xFF) &&
              kMagic[2] == (kLocalSignature >> 16 & 0xFF) && kMagic[3] == kLocalSignature >> 24);

// The size of each structure without its name, extra field and comment.
inline constexpr std::size_t kLocalSize = 30;
inline constexpr std::size_t kCentralSize = 46;
inline constexpr std::size_t kEndSize = 22;
inline constexpr std::size_t kEnd64Size = 56;
inline constexpr std::size_t kLocator64Size = 20;

inline constexpr std::uint16_t kDeflated = 8;  // a compression method

inline constexpr std::uint16_t kFlagEncrypted = 1 << 0;
inline constexpr std::uint16_t kFlagDescriptor = 1 << 3;
inline constexpr std::uint16_t kFlagPatch = 1 << 5;
inline constexpr std::uint16_t kFlagStrongEncryption = 1 << 6;
inline constexpr std::uint16_t kFlagUtf8 = 1 << 11;
inline constexpr std::uint16_t kFlagMaskedHeaders = 1 << 13;

// These values stand for a number that is in a zip64 record or extra field.
inline constexpr std::uint32_t kSeeZip64 = 0xFFFFFFFF;
inline constexpr std::uint16_t kSeeZip64Count = 0xFFFF;
inline constexpr std::uint16_t kZip64Extra = 1;

// A bit of an entry's external attributes: MS-DOS's mark of a directory.
inline constexpr std::uint32_t kDirectoryAttribute = 0x10;

}  // namespace sda::zip_format
