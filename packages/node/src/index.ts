/**
 * An inference node: it runs a model inside an enclave, speaks OpenAI's dialect, checks the payment by itself and signs
 * a receipt over the exact bytes in and out. It never takes money, never batches and keeps no content. Start with
 * `startNode.ts`, then `server/serveChat.ts`.
 */
export * from './enclaves/enclave.ts'
export * from './enclaves/nitroSim.ts'
export { type SimulatedRoot, simulatedRoot } from './enclaves/simulatedChain.ts'
export * from './engines/engine.ts'
export * from './engines/llama.ts'
export * from './models/pullModel.ts'
export * from './models/smollm2.ts'
export * from './queue.ts'
export { openReceiptStore, type ReceiptStore } from './receiptStore.ts'
export * from './startNode.ts'
