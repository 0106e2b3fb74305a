import { loadNetwork, whyNotStarted } from '@assay/chain'
import { AssayError } from '@assay/protocol'
import { type Hex, isHex } from 'viem'
import { startValidator } from './startValidator.ts'

function setting(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') {
    throw new AssayError(`${name} is not set.`, {
      code: 'config',
      next: 'Set ASSAY_NETWORK (path of network.json), ASSAY_KEY (validator key, hex) and ASSAY_DATA (directory).',
    })
  }
  return value
}

function keySetting(): Hex {
  const key = setting('ASSAY_KEY')
  if (!isHex(key) || key.length !== 66) {
    throw new AssayError('ASSAY_KEY is not 32 bytes of 0x hex.', { code: 'config' })
  }
  return key
}

try {
  const port = Number(process.env.ASSAY_PORT ?? '4040')
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new AssayError('ASSAY_PORT is not a port.', { code: 'config' })
  }
  const validator = await startValidator({
    network: loadNetwork(setting('ASSAY_NETWORK')),
    privateKey: keySetting(),
    dataDir: setting('ASSAY_DATA'),
    port,
  })
  let closing = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (closing) return
      closing = true
      validator.close().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    })
  }
} catch (error) {
  console.error(whyNotStarted(error, 'validator'))
  process.exitCode = 1
}
