import {
  decodeReceiptHeader,
  RECEIPT_COMMENT,
  RECEIPT_HEADER,
  type Receipt,
  responseHash,
  stripSseComments,
} from '@assay/protocol'

/** An answer as any client may read it that does not use our own package. */
export type PlainAnswer = {
  /** Status and error code, `replayed` or `cut off`, in few words that can be counted. */
  what: string
  /** Whether it came with status 200 and to its end. */
  isWhole: boolean
  /** Of a whole answer whose bytes are those that the receipt is for. */
  receipt: Receipt | undefined
}

export async function readAnswer(response: Response): Promise<PlainAnswer> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  const text = new TextDecoder().decode(bytes)
  const { status, headers } = response
  if (status !== 200) {
    const code = /"code":"([a-z0-9_]+)"/.exec(text)?.[1] ?? 'no code'
    return { what: `${status} ${code}`, isWhole: false, receipt: undefined }
  }
  const contentType = headers.get('content-type') ?? ''
  const isStream = contentType.startsWith('text/event-stream')
  const isWhole = !isStream || text.includes('data: [DONE]')
  if (!isWhole) {
    const code = /"code":"([a-z0-9_]+)"/.exec(text)?.[1] ?? 'cut off'
    return { what: `200 ${code}`, isWhole, receipt: undefined }
  }
  const encoded = isStream
    ? text
        .split('\n')
        .find((line) => line.startsWith(RECEIPT_COMMENT))
        ?.slice(RECEIPT_COMMENT.length)
    : headers.get(RECEIPT_HEADER)
  const what = headers.has('x-assay-replayed') ? '200 replayed' : '200'
  if (encoded === undefined || encoded === null) return { what, isWhole, receipt: undefined }
  const { receipt } = decodeReceiptHeader(encoded)
  const body = isStream ? stripSseComments(bytes) : bytes
  const isSigned = responseHash({ status, contentType, body }) === receipt.responseHash
  return { what: isSigned ? what : '200 of other bytes', isWhole, receipt: isSigned ? receipt : undefined }
}
