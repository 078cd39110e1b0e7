// Whether a file begins as a tar archive. torch.load reads whatever is no zip archive as a tar of
// PyTorch before 0.1.10 first, and as a legacy file only if that fails.
#pragma once

#include <cstddef>
#include <string_view>

namespace sda {

inline constexpr std::size_t kTarBlock = 512;

// `head` is the beginning of the file. As in Python's tarfile, only the checksum of the first
// header decides: the header may hold anything else, such as a pickle.
bool is_tar(std::string_view head) noexcept;

}  // namespace sda
