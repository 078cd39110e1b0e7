// Makes a torch.save archive around a pickle.
#pragma once

#include <string>
#include <string_view>

namespace sda::fuzz {

// An archive with the pickle as data.pkl and storages "0" to "3" of 0, 4, 12 and 64 bytes. It has
// no CRCs, so that every change of the pickle reaches the pickle machine. `big_endian` sets its
// byte order.
std::string wrapped_pickle(std::string_view pickle, bool big_endian);

}  // namespace sda::fuzz
