export type { Action, Authorize, SdaServerOptions, ServerLimits } from "./options.js";
export { sdaServer, sdaServer as default } from "./plugin.js";
export { type RunningServer, type ServeOptions, serve } from "./serve.js";
