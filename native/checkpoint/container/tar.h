// Whether a file begins as a tar archive. torch.load reads whatever is no zip archive as a tar of
// PyTorch before 0.1.10 first, and as a legacy file only if that fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sda {

inline constexpr std::size_t kTarBlock = 512;

// `head` is the beginning of the file. As in Python's tarfile, only the checksum of the first
// header decides: the header may hold anything else, such as a pickle.
bool is_tar(std::string_view head) noexcept;

// The size in bytes of the member that a header describes; nullopt: it has none.
std::optional<std::uint64_t> tar_member_size(std::string_view header) noexcept;

}  // namespace sda
