/**
 * What every party of the network must agree on: the receipt, the batch, the attestation, their hashes and their
 * canonical JSON. Pure functions over plain data; nothing here does I/O, holds a key or knows a server.
 * docs/spec.md is the same in words. Start with `receipt.ts`, then `batch.ts`.
 */
export * from './abi/index.ts'
export * from './attestation.ts'
export * from './base64.ts'
export * from './batch.ts'
export * from './batchData.ts'
export * from './bundle.ts'
export * from './canonicalJson.ts'
export * from './domain.ts'
export * from './enclave.ts'
export * from './errors.ts'
export * from './formatOpg.ts'
export * from './http.ts'
export * from './intent.ts'
export * from './manifest.ts'
export * from './merkleSum.ts'
export * from './network.ts'
export * from './payment.ts'
export * from './price.ts'
export * from './receipt.ts'
export * from './receiptJson.ts'
export * from './requestAuth.ts'
export * from './schema.ts'
export * from './signature.ts'
export * from './tag.ts'
