import { readFileSync } from 'node:fs'
import { type Hex, isHex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { CliError, EXIT } from './cliError.ts'

/** The key never stands on a command line, where every process of the machine could read it. @throws CliError */
export function readKeyFile(file: string): Hex {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw badKey('The key file cannot be read.', file, cause)
  }
  if (!isPrivateKey(text)) throw badKey('The key file holds no private key.', file)
  return text
}

/** 32 bytes that are a key of the curve: zero and what is beyond its order are none, and what finds that out repeats them. */
export function isPrivateKey(text: string): text is Hex {
  if (!isHex(text) || text.length !== 66) return false
  try {
    privateKeyToAddress(text)
    return true
  } catch {
    return false
  }
}

function badKey(message: string, file: string, cause?: unknown): CliError {
  return new CliError(message, {
    exitCode: EXIT.usage,
    code: 'bad_key',
    facts: { file },
    next: 'Give a file that holds 0x and 64 hex digits, readable by its owner only.',
    cause,
  })
}
