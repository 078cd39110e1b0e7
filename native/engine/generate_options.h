// What a request for sound may ask, checked before any work starts.
#pragma once

#include "engine/engine.h"

namespace sda::engine {

// Throws kArgument with detail "option".
void check_options(const GenerateOptions& options, std::int64_t latent_dim);

// ⌈duration⌉: chunks are one second long.
std::int64_t anchor_count(const GenerateOptions& options);

// Chunks that one channel decodes.
std::int64_t chunk_count(const GenerateOptions& options);

}  // namespace sda::engine
