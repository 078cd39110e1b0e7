// Reads a whole file. An input that begins with 'l' or 'b' is a pickle, which is put into a sound
// archive first: otherwise the archive's checks would refuse nearly every mutation before its
// tensors are read.
#include <string>

#include "input_file.h"
#include "read_everything.h"
#include "wrapped_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static sda::fuzz::InputFile input;
  const std::string_view bytes = sda::fuzz::text_of(data, size);
  // No file begins with 'l' or 'b'. They tell the byte order of the archive for the pickle that
  // follows.
  const bool wrap = !bytes.empty() && (bytes[0] == 'l' || bytes[0] == 'b');
  const std::string archive =
      wrap ? sda::fuzz::wrapped_pickle(bytes.substr(1), bytes[0] == 'b') : std::string();
  sda::fuzz::read_everything(input.holding(wrap ? archive : bytes));
  return 0;
}
