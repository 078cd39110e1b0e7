/**
 * `small-dataset-audio-server` serves a library over HTTP, with a page that plays its models: as a
 * Fastify plugin, or as a server of its own.
 *
 * @module small-dataset-audio-server
 */
export type { Action, Authorize, SdaServerOptions, ServerLimits } from "./options.js";
export { sdaServer, sdaServer as default } from "./plugin.js";
export { type RunningServer, type ServeOptions, serve } from "./serve.js";
