// Synthesis::kCodes: the prior draws the codes of each second, with a generator of its own.
#include <utility>

#include "engine/codes/vq_vae.h"
#include "engine/float_tensor.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/generator.h"

namespace sda::engine {
namespace {

class CodeGenerator final : public Generator {
 public:
  CodeGenerator(Instrument instrument, const GenerateOptions& options,
                std::shared_ptr<CancelToken> cancel, GenerationEvents events,
                std::shared_ptr<const void> owner)
      : Generator(std::move(instrument), options, std::move(cancel), std::move(events),
                  std::move(owner), anchor_count(options)) {}

 protected:
  Next draw(Task& task) override {
    const std::int64_t number = drawn_++;
    task = [this, number] {
      // CodeModel::create makes no other type than this.
      const auto& codes = static_cast<const VqVae&>(*instrument().codes);
      TorchRandom random(seed_of(number));
      const FloatTensor mel = codes.decode(
          codes.prior().sample(random, options_.sampling, cancel()), codes.frames(), cancel());
      check_finite(mel);
      FloatTensor phases = make_tensor({1, spectra().bins(), codes.frames(), 2});
      random.rand({phases.data.get(), static_cast<std::size_t>(phases.numel())});
      const FloatTensor wave = spectra().rebuild(mel, phases, cancel());
      report_work();
      take_in(number, {wave.data.get(), wave.data.get() + wave.numel()});
    };
    return Next::kTask;
  }
};

}  // namespace

std::shared_ptr<Generator> make_code_generator(Instrument instrument,
                                               const GenerateOptions& options,
                                               std::shared_ptr<CancelToken> cancel,
                                               GenerationEvents events,
                                               std::shared_ptr<const void> owner) {
  return std::make_shared<CodeGenerator>(std::move(instrument), options, std::move(cancel),
                                         std::move(events), std::move(owner));
}

}  // namespace sda::engine
