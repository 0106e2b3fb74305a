import type { IncomingHttpHeaders } from 'node:http'
import { RefusedError } from '../http/dialectError.ts'

/** How OpenGradient's clients ask to be settled; absent means `batch`. */
export type SettlementType = 'private' | 'batch' | 'individual'

const TYPES: readonly SettlementType[] = ['private', 'batch', 'individual']
const HEADER = 'x-settlement-type'

/** @throws RefusedError 400 for a type that there is not */
export function settlementTypeOf(headers: IncomingHttpHeaders): SettlementType {
  const given = headers[HEADER]
  if (given === undefined) return 'batch'
  const found = TYPES.find((type) => type === given)
  if (found !== undefined) return found
  throw new RefusedError({
    status: 400,
    message: `X-SETTLEMENT-TYPE must be one of ${TYPES.join(', ')}.`,
    type: 'invalid_request_error',
    code: 'invalid_settlement_type',
  })
}
