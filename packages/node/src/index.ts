/**
 * An inference node: it runs a model inside an enclave, speaks OpenAI's and Anthropic's dialects, checks the payment by itself and signs
 * a receipt over the exact bytes in and out. It never takes money, never batches and keeps no content. Start with
 * `startNode.ts`, then `server/serve.ts`.
 */
export * from './enclaves/chooseAttester.ts'
export * from './enclaves/enclave.ts'
export * from './enclaves/expectedMeasurement.ts'
export * from './enclaves/nitroSim.ts'
export { selfSigned } from './enclaves/selfSigned.ts'
export { type SimulatedRoot, simulatedRoot } from './enclaves/simulatedChain.ts'
export { startCircuitEngine } from './engines/circuit/startCircuitEngine.ts'
export * from './engines/engine.ts'
export * from './engines/llama/startLlamaEngine.ts'
export { readUpstreamManifests, takeUpstreamKeys } from './engines/upstream/readUpstreams.ts'
export * from './models/pullModel.ts'
export * from './models/smollm2.ts'
export * from './queue.ts'
export { openReceiptStore, type ReceiptStore } from './receiptStore.ts'
export * from './startNode.ts'
