import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { CliError, EXIT } from '../cliError.ts'
import type { Home } from '../home.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'

/** Shortest token that is taken from a user: what nobody guesses at a few thousand tries a second. */
const LEAST_CHARACTERS = 24

/**
 * What callers of the proxy must show: `ASSAY_PROXY_TOKEN`, else the one of the last time, so that programs need not be
 * told anew; made once, readable by its owner only. @throws CliError
 */
export function proxyToken(home: Home, renew: boolean, environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment.ASSAY_PROXY_TOKEN
  if (given !== undefined && given !== '') return checked(given, 'ASSAY_PROXY_TOKEN')
  if (!renew && existsSync(home.proxyToken))
    return checked(readFileSync(home.proxyToken, 'utf8').trim(), home.proxyToken)
  const token = `assay-proxy-${randomBytes(24).toString('base64url')}`
  writeFileAtomic(home.proxyToken, `${token}\n`)
  return token
}

function checked(token: string, place: string): string {
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= LEAST_CHARACTERS) return token
  // The value itself is never repeated.
  throw new CliError('This is no token that could keep strangers out.', {
    exitCode: EXIT.usage,
    code: 'bad_token',
    facts: { place },
    next: `Give at least ${LEAST_CHARACTERS} characters without spaces, or make one: assay proxy --new-token`,
  })
}
