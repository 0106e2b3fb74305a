/** A local endpoint for programs that speak OpenAI's or Anthropic's API. Start with `startProxy.ts`, then `door.ts`. */
export { type ProxyCall, type ProxyOptions, type RunningProxy, startProxy } from './startProxy.ts'
