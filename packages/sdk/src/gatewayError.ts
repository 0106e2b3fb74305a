import { SdkError } from './errors.ts'
import { readBounded } from './limits.ts'

/** Those of gateways have 66 characters at most. */
const MAX_ID_LENGTH = 100

/** The dialect's error, in our own shape. */
export async function gatewayError(response: Response): Promise<SdkError> {
  const bytes = await readBounded(response, 'gateway_error').catch(() => new Uint8Array())
  const text = new TextDecoder().decode(bytes)
  let error: { message?: unknown; code?: unknown } = {}
  try {
    const body = JSON.parse(text) as { error?: unknown }
    if (typeof body.error === 'object' && body.error !== null) error = body.error
    else if (typeof body.error === 'string') error = { message: body.error }
  } catch {
    // Not JSON: the status alone has to do.
  }
  const id = response.headers.get('x-request-id')
  const facts = {
    status: response.status,
    ...(typeof error.code === 'string' ? { code: error.code } : {}),
    // What its operator finds it by.
    ...(id === null ? {} : { id: id.slice(0, MAX_ID_LENGTH) }),
  }
  const message =
    typeof error.message === 'string' ? error.message.slice(0, 500) : 'The gateway answered with an error.'
  if (response.status === 402) {
    const underGrant = typeof error.code === 'string' && error.code.startsWith('grant_')
    return new SdkError(message, {
      code: 'payment_required',
      facts,
      next: underGrant
        ? 'Look at the grant: assay wallet grant list'
        : 'Look at the payer: assay wallet balance   (on a development network: assay wallet fund)',
    })
  }
  const retryAfter = response.headers.get('retry-after')
  return new SdkError(message, {
    code: 'gateway_error',
    facts,
    next: response.status === 429 ? `Ask again in ${retryAfter ?? 'a few'} seconds.` : undefined,
  })
}
