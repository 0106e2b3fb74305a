/**
 * The HTTP edge: takes an ordinary chat request with an x402 payment, relays it byte for byte to an inference node, makes
 * the node's receipt durable before the answer's last byte goes out, and settles behind it: batches, commits, collects,
 * finalises, pays out. It never rewrites a body, stores what was said only where the client names its request (docs/payments.md), and need not be trusted: whoever holds the
 * answer checks it with the receipt. Start with `startGateway.ts`, then `relay/relay.ts` and `batcher/batcher.ts`.
 */
export type {
  ChainBatch,
  ChainPayment,
  CollectItem,
  Funds,
  GatewayChain,
  SettleItem,
} from './chain/gatewayChain.ts'
export type { Limits } from './limits.ts'
export type { NodeSource } from './nodes/discoverNodes.ts'
export { type Gateway, type GatewayOptions, startGateway } from './startGateway.ts'
