import type { Hex } from 'viem'
import { commonNameOf } from '../x509/name.ts'
import { issuerOfLeaf, leafOf, parseChain } from './chains.ts'
import { readPckPlatform } from './pckExtension.ts'
import { readQuote } from './quote.ts'

/** Which of Intel's documents a quote is judged by. */
export type QuotePlatform = {
  teeType: 'sgx' | 'tdx'
  /** 6 bytes. */
  fmspc: Hex
  /** The CA that issued the PCK certificate, as Intel's service names it. */
  ca: 'processor' | 'platform'
}

/**
 * Reads from a quote which collateral to fetch for it; believes nothing of it.
 * @throws Error where the bytes are no quote, or one that carries no PCK chain
 */
export function quotePlatform(quote: Uint8Array): QuotePlatform {
  const { teeType, pckChain } = readQuote(quote)
  if (pckChain === undefined) throw new Error('the quote carries no PCK chain')
  const chain = parseChain(pckChain)
  const issuer = commonNameOf(issuerOfLeaf(chain).subject) ?? ''
  return {
    teeType,
    fmspc: readPckPlatform(leafOf(chain)).fmspc,
    ca: issuer.includes('Processor') ? 'processor' : 'platform',
  }
}
