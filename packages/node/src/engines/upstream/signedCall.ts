/**
 * What a thinking model of Google's signs a call with, and wants back with it, or it refuses the conversation ("Thought
 * signatures" in the Gemini API's documentation). The other dialects have no place for it beside a call, but every client
 * sends a call's id back as it was, since its result names it. So there the signature is a part of the id.
 */
type SignedCall = { id: string; signature: string | undefined }

/** Stands between an id and what signs it; both vendors' ids have letters, digits, _ and - alone. */
const MARK = '__signed_'

/** The id of a call for a client of another dialect. */
export function idWithSignature({ id, signature }: SignedCall): string {
  return signature === undefined ? id : `${id}${MARK}${Buffer.from(signature).toString('base64url')}`
}

/** A call's id as its upstream gave it, and what signs it; of an id that carries nothing, itself. */
export function readCallId(told: string): SignedCall {
  const [id = '', signature, ...more] = told.split(MARK)
  if (id === '' || signature === undefined || more.length > 0) return { id: told, signature: undefined }
  const text = Buffer.from(signature, 'base64url').toString()
  // Only what was written here is taken apart: an id may be anything.
  const isOurs = text !== '' && Buffer.from(text).toString('base64url') === signature
  return isOurs ? { id, signature: text } : { id: told, signature: undefined }
}
