#include "engine/generation/generation.h"

#include <utility>

#include "engine/generation/generate_options.h"
#include "engine/generation/generator.h"

namespace sda::engine {
namespace {

std::shared_ptr<Generator> make_generator(Instrument instrument, const GenerateOptions& options,
                                          std::shared_ptr<CancelToken> cancel,
                                          GenerationEvents events,
                                          std::shared_ptr<const void> owner) {
  const auto make = [&](auto* maker) {
    return maker(std::move(instrument), options, std::move(cancel), std::move(events),
                 std::move(owner));
  };
  switch (instrument.program.synthesis) {
    case Synthesis::kOverlapAdd:
      return make(make_mel_generator);
    case Synthesis::kCodes:
      return make(make_code_generator);
    case Synthesis::kChunks:
      break;
  }
  return make(make_chunk_generator);
}

}  // namespace

std::shared_ptr<GenerationRequest> make_generation(Instrument instrument,
                                                   const GenerateOptions& options,
                                                   std::shared_ptr<CancelToken> cancel,
                                                   GenerationEvents events,
                                                   std::shared_ptr<const void> owner) {
  check_options(instrument, options);
  const auto request = make_generator(std::move(instrument), options, std::move(cancel),
                                      std::move(events), std::move(owner));
  request->offer();
  return request;
}

}  // namespace sda::engine
