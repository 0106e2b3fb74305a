import type { Json } from '@assay/protocol'

type ErrorBody = { error: { message: string; type: string; code: string; param: string | null } }

export async function errorOf(response: Response): Promise<ErrorBody['error']> {
  return ((await response.json()) as ErrorBody).error
}

/** GET /v1/receipts/{id}, as far as the tests look. */
export type ReceiptAnswer = {
  requestId: `0x${string}`
  state: string
  receipt: Json
  signature: `0x${string}`
  batchId: `0x${string}` | null
  batch: { height: string; count: string }
  inclusion: Json
  transactionHash: string
  payment: { state: string; failure: string | null } | null
}
