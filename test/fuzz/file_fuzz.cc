// A whole file. An input that begins as a pickle is put into a sound archive first: its checks of
// sizes and offsets would turn nearly every mutation away before the tensors.
#include <string>

#include "input_file.h"
#include "read_everything.h"
#include "wrapped_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static sda::fuzz::InputFile input;
  const std::string_view bytes = sda::fuzz::text_of(data, size);
  // 'l' and 'b' are no file's beginning: a pickle follows that lies in an archive of that byte
  // order.
  const bool wrap = !bytes.empty() && (bytes[0] == 'l' || bytes[0] == 'b');
  const std::string archive =
      wrap ? sda::fuzz::wrapped_pickle(bytes.substr(1), bytes[0] == 'b') : std::string();
  sda::fuzz::read_everything(input.holding(wrap ? archive : bytes));
  return 0;
}
