// Reads the legacy container. The input follows the magic number, which mutations would only break.
#include <string>

#include "input_file.h"
#include "read_everything.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace std::string_literals;
  static sda::fuzz::InputFile input;
  static const std::string magic = "\x80\x02\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  std::string content = magic;
  content += sda::fuzz::text_of(data, size);
  sda::fuzz::read_everything(input.holding(content));
  return 0;
}
