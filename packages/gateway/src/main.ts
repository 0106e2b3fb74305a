import { loadNetwork, whyNotStarted } from '@assay/chain'
import { startTracing } from '@assay/chain/tracing'
import { AssayError, readOpg } from '@assay/protocol'
import { type Hex, isHex } from 'viem'
import { type NodeSource, startGateway } from './index.ts'
import type { AllowanceLimits } from './payment/allowance.ts'

function setting(name: string): string {
  const value = process.env[name]
  if (value !== undefined && value !== '') return value
  throw new AssayError(`${name} is not set.`, {
    code: 'config',
    next: 'set ASSAY_NETWORK (network.json), ASSAY_KEY (private key), ASSAY_DATA (folder) and ASSAY_PORT',
  })
}

function keySetting(): Hex {
  const key = setting('ASSAY_KEY')
  if (isHex(key) && key.length === 66) return key
  throw new AssayError('ASSAY_KEY is not a private key.', { code: 'config', next: 'give 32 bytes in 0x hex' })
}

function portSetting(name: string, standard?: string): number {
  const text = standard === undefined ? setting(name) : process.env[name] || standard
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new AssayError(`${name} is not a port.`, {
    code: 'config',
    facts: { [name]: text },
    next: 'give a number up to 65535; 0 is any free one',
  })
}

/** Set to nothing, as by a compose file without a value, it is not set. */
function databaseUrl(): string | undefined {
  const url = process.env.DATABASE_URL || undefined
  if (url === undefined || /^postgres(ql)?:\/\//.test(url)) return url
  // Not repeated: it may hold a password.
  throw new AssayError('DATABASE_URL is not the URL of a PostgreSQL database.', {
    code: 'config',
    next: 'give postgres://user:password@host:5432/database',
  })
}

function nodeSource(): NodeSource {
  const source = process.env.ASSAY_NODES ?? 'network'
  if (source === 'network' || source === 'registry') return source
  throw new AssayError('ASSAY_NODES is unknown.', {
    code: 'config',
    facts: { ASSAY_NODES: source },
    next: 'set it to network (those of network.json) or registry (and everybody bonded on the chain)',
  })
}

/** Where `ASSAY_TLS_PORT` is set, the door that is under TLS. */
function tlsSetting(): { port: number; certificateFile: string; keyFile: string } | undefined {
  if (!process.env.ASSAY_TLS_PORT) return undefined
  const files = { certificateFile: setting('ASSAY_TLS_CERTIFICATE'), keyFile: setting('ASSAY_TLS_KEY') }
  return { port: portSetting('ASSAY_TLS_PORT'), ...files }
}

function allowanceLimits(): AllowanceLimits {
  const { ASSAY_REQUESTS_PER_MINUTE: requests = '0', ASSAY_OPG_PER_HOUR: spend = '0' } = process.env
  const spendPerHour = readOpg(spend)
  if (/^[0-9]{1,9}$/.test(requests) && spendPerHour !== undefined) {
    return { requestsPerMinute: Number(requests), spendPerHour }
  }
  throw new AssayError('ASSAY_REQUESTS_PER_MINUTE or ASSAY_OPG_PER_HOUR cannot be read.', {
    code: 'config',
    facts: { ASSAY_REQUESTS_PER_MINUTE: requests, ASSAY_OPG_PER_HOUR: spend },
    next: 'give a whole number and an amount such as 2.5; 0 is no limit',
  })
}

function drainMs(): number {
  const { ASSAY_DRAIN_SECONDS: seconds = '10' } = process.env
  if (/^[0-9]{1,4}$/.test(seconds)) return Number(seconds) * 1000
  throw new AssayError('ASSAY_DRAIN_SECONDS cannot be read.', {
    code: 'config',
    facts: { ASSAY_DRAIN_SECONDS: seconds },
    next: 'give a whole number of seconds, up to 9999',
  })
}

try {
  const stopTracing = await startTracing('gateway')
  const gateway = await startGateway({
    network: loadNetwork(setting('ASSAY_NETWORK')),
    privateKey: keySetting(),
    dataDir: setting('ASSAY_DATA'),
    port: portSetting('ASSAY_PORT', '4020'),
    databaseUrl: databaseUrl(),
    nodes: nodeSource(),
    tls: tlsSetting(),
    limits: { ...allowanceLimits(), drainMs: drainMs() },
  })
  let closing = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (closing) return
      closing = true
      gateway
        .close()
        .then(stopTracing)
        .then(
          () => process.exit(0),
          () => process.exit(1),
        )
    })
  }
} catch (error) {
  process.stderr.write(`${whyNotStarted(error, 'gateway')}\n`)
  process.exit(error instanceof AssayError && error.code === 'config' ? 2 : 1)
}
