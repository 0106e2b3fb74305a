/**
 * The client's side of the network: a `fetch` that pays, signs what it asks for and verifies every answer, and a small
 * `llm.chat` on top of it. It never trusts the gateway: content reaches the caller only after the node's signature over
 * exactly the bytes sent and received was checked (streams: before their completion is reported). It keeps no state and
 * stores no key. Start with `assayFetch.ts`; `answer.ts` holds what is checked.
 */
export {
  AssayError,
  type Bundle,
  encodeBundle,
  type Network,
  parseBundle,
  type Receipt,
} from '@assay/protocol'
export type { Report } from '@assay/verify'
export { type AgentTool, agentTools } from './agentTools.ts'
export { type AnswerExpectation, answerReport, type VerifiedAnswer } from './answer.ts'
export { type AssayFetchOptions, assayFetch } from './assayFetch.ts'
export type { CallParameters, Proof, Wait } from './call.ts'
export { type ChainReader, chainReaderOf } from './chainReader.ts'
export type { ChatMessage, ChatParameters, ChatResult, ChatStream } from './chat.ts'
export type { ChatOutput, ToolCall } from './chatOutput.ts'
export { type Assay, createAssay } from './createAssay.ts'
export { factsInWords, SdkError, type SdkErrorCode } from './errors.ts'
export * from './grants.ts'
export type {
  CompletionParameters,
  CompletionResult,
  EmbedParameters,
  EmbedResult,
  InferParameters,
  InferResult,
} from './otherCalls.ts'
export {
  type GivenProviderKey,
  type GiveProviderKeyParameters,
  giveProviderKey,
} from './providerKeys.ts'
export {
  completeBundle,
  type ReceiptState,
  type ReceiptStatus,
  readBatchFile,
  readProof,
  readReceiptStatus,
  waitForReceipt,
} from './receiptStatus.ts'
export { receiptTrust } from './receiptTrust.ts'
export { type RequestReport, readRequestReport } from './requestReport.ts'
export { type Reservation, type SpendingLimit, sharedSpendingLimit, spendingLimit } from './spending.ts'
export { type CallHooks, createVerifiedFetch, type VerifiedFetch } from './verifiedFetch.ts'
