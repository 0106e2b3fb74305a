import type { IncomingHttpHeaders } from 'node:http'
import { CONFIDENTIAL_HEADERS, formatOpg, larger, type NetworkModel, readOpg } from '@assay/protocol'
import type { Address } from 'viem'
import { RefusedError } from '../http/dialectError.ts'
import { isMode, MODES, type Mode } from './costOfCorruption.ts'

const VERIFICATION_HEADER = 'x-assay-verification'
const VALUE_HEADER = 'x-assay-value-at-risk'

/** What a request asks of the node that is to answer it. */
export type Asked = {
  model: NetworkModel
  /** Where a request for the model is sent to; undefined where only its enclave can read that. */
  path: string | undefined
  verification: Mode | 'auto'
  /** What a false answer may do harm of, as the caller says; 0 where it does not. OPG base units. */
  valueAtRisk: bigint
  /** Most that the call may cost, OPG base units. */
  maximum: bigint
  /** Operators that may serve; none = any. */
  among: readonly Address[]
}

/** What the receipt of a request will put at risk at most, OPG base units. */
export function exposureOf({ valueAtRisk, maximum }: Pick<Asked, 'valueAtRisk' | 'maximum'>): bigint {
  return larger(valueAtRisk, maximum)
}

/** @throws RefusedError 400 that names the header which cannot be read, or the price that is above the caller's maximum */
export function readAsked(
  headers: IncomingHttpHeaders,
  {
    model,
    path,
    maximum,
    among = [],
  }: Pick<Asked, 'model' | 'path' | 'maximum'> & { among?: readonly Address[] },
): Asked {
  const verification = single(headers[VERIFICATION_HEADER]) ?? 'auto'
  if (verification !== 'auto' && !isMode(verification)) {
    throw unreadable('unsupported_mode', `\`${VERIFICATION_HEADER}\` can be: auto, ${MODES.join(', ')}.`)
  }
  const stated = single(headers[VALUE_HEADER])
  const valueAtRisk = stated === undefined ? 0n : readOpg(stated)
  if (valueAtRisk === undefined) {
    throw unreadable('invalid_value_at_risk', `\`${VALUE_HEADER}\` must be an amount of OPG such as 1.5.`)
  }
  const most = single(headers[CONFIDENTIAL_HEADERS.maxPrice])
  if (most !== undefined) requirePrice(most, maximum)
  return { model, path, verification, valueAtRisk, maximum, among }
}

function requirePrice(text: string, maximum: bigint): void {
  const name = CONFIDENTIAL_HEADERS.maxPrice
  if (!/^[1-9][0-9]{0,38}$/.test(text)) {
    throw unreadable('invalid_max_price', `\`${name}\` must be the most the request may cost, in base units.`)
  }
  if (BigInt(text) >= maximum) return
  throw unreadable(
    'price_above_maximum',
    `The request may cost ${formatOpg(maximum)}, more than the ${formatOpg(BigInt(text))} of \`${name}\`. Ask for fewer tokens, or allow more.`,
  )
}

function unreadable(code: string, message: string): RefusedError {
  return new RefusedError({ status: 400, type: 'invalid_request_error', code, message })
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
