import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { CONTRACT_NAMES } from '@assay/protocol'
import { freePorts } from '../../../test/freePorts.ts'
import { runAssay } from './runAssay.ts'

let home: string
let taken: Server
let takenPort: number
let freePort: number
const hash = `0x${'ab'.repeat(32)}`

before(async () => {
  // What the shell has set must not decide a test.
  for (const name of Object.keys(process.env)) if (name.startsWith('ASSAY_')) delete process.env[name]
  home = mkdtempSync(path.join(tmpdir(), 'assay-cli-'))
  process.env.ASSAY_HOME = home
  taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  takenPort = (taken.address() as AddressInfo).port
  freePort = await freePorts(1)
  const address = `0x${'11'.repeat(20)}`
  // A well-formed network at which nobody listens (port 9, discard).
  const dead = {
    chainId: 31_337,
    rpcUrl: 'http://127.0.0.1:9',
    gatewayUrl: 'http://127.0.0.1:9',
    deploymentId: hash,
    contracts: Object.fromEntries(CONTRACT_NAMES.map((name) => [name, address])),
    gateway: address,
    nodes: [],
    validators: [],
    accounts: {},
    models: [{ name: 'm', modelId: hash, contextLength: 1, modes: ['tee'] }],
  }
  writeFileSync(path.join(home, 'dead.json'), JSON.stringify(dead))
  writeFileSync(path.join(home, 'broken.json'), '{"chainId":')
  writeFileSync(path.join(home, 'numbers.json'), '[1,2]')
  symlinkSync('/dev/zero', path.join(home, 'endless.json'))
  writeFileSync(path.join(home, 'bundle.json'), '{"format":"assay-bundle/1"}')
})
after(() => {
  delete process.env.ASSAY_HOME
  taken.close()
  rmSync(home, { recursive: true, force: true })
})

const demoKey = `0x${'01'.repeat(32)}`
const cases: { args: () => string[]; code: number; says: RegExp; key?: string }[] = [
  { args: () => ['--help'], code: 0, says: /Exit codes/ },
  {
    args: () => ['node', 'measure', '--from', path.join(home, 'absent.json')],
    code: 2,
    says: /no JSON of measurements[\s\S]*check the path/,
  },
  { args: () => ['--version'], code: 0, says: /^0\.1\.0/ },
  {
    args: () => ['chat', '--help'],
    code: 0,
    says: /--confidential[\s\S]*--save|--save[\s\S]*--confidential/,
  },
  { args: () => [], code: 2, says: /assay --help|Usage/ },
  { args: () => ['chta', 'hello'], code: 2, says: /unknown command/ },
  { args: () => ['chat'], code: 2, says: /missing required argument[\s\S]*assay chat --help/ },
  { args: () => ['chat', ' '], code: 2, says: /It is empty/ },
  { args: () => ['chat', 'hi', '--max-tokens', '0'], code: 2, says: /at least 1/ },
  { args: () => ['chat', 'hi', '--nonsense'], code: 2, says: /unknown option/ },
  { args: () => ['chat', 'hi', '--max-tokens', '-1'], code: 2, says: /whole number/ },
  { args: () => ['chat', 'hi', '--temperature', 'hot'], code: 2, says: /from 0 to 2/ },
  { args: () => ['chat', 'hi', '--wait', 'never'], code: 2, says: /Allowed choices/ },
  { args: () => ['chat', 'hi', '--max-price', '1e5'], code: 2, says: /amount of OPG/ },
  { args: () => ['chat', 'hi', '--scheme', 'cash'], code: 2, says: /Allowed choices/ },
  { args: () => ['chat', 'hi'], code: 3, says: /no network here yet[\s\S]*npm start/ },
  { args: () => ['chat', 'hi', '--network', '/nowhere.json'], code: 2, says: /network\.json/ },
  ...[
    { file: 'nowhere.json', says: /no network file[\s\S]*nowhere\.json/ },
    { file: '.', says: /cannot be read[\s\S]*EISDIR/ },
    { file: 'broken.json/network.json', says: /cannot be read[\s\S]*ENOTDIR/ },
    { file: 'broken.json', says: /not usable[\s\S]*it is not JSON/ },
    { file: 'bundle.json', says: /not usable[\s\S]*chainId is not/ },
    { file: 'endless.json', says: /not usable[\s\S]*too large/ },
  ].map(({ file, says }) => ({
    args: () => ['verify', hash, '--network', path.join(home, file)],
    code: 2,
    says: new RegExp(`${says.source}[\\s\\S]*Give the path of a network\\.json`),
  })),
  {
    args: () => ['chat', 'hi', '--network', path.join(home, 'dead.json')],
    code: 2,
    says: /ASSAY_WALLET_KEY/,
  },
  {
    args: () => ['chat', 'hi', '--network', path.join(home, 'dead.json')],
    code: 3,
    says: /does not answer/,
    key: demoKey,
  },
  // What would be lost once it is paid for is refused before.
  ...[
    { save: ['/no/such/folder/b.json'], says: /cannot be written[\s\S]*no folder/ },
    { save: ['.'], says: /cannot be written[\s\S]*is a folder/ },
    { save: ['b.json', '--wait', 'answer'], says: /never verify[\s\S]*--wait final/ },
  ].flatMap(({ save, says }) =>
    [
      ['chat', 'hi'],
      ['infer', '--model', 'm', '--input', 'numbers.json'],
    ].map((command) => ({
      args: () => [
        ...command.map((word) => (word === 'numbers.json' ? path.join(home, word) : word)),
        ...['--save', ...save, '--network', path.join(home, 'dead.json')],
      ],
      code: 2,
      says,
      key: demoKey,
    })),
  ),
  {
    args: () => ['zk', 'prove', 'absent.azk', '--input', 'absent.json', '-o', '/no/such/folder/p.azp'],
    code: 2,
    says: /cannot be written/,
  },
  {
    args: () => ['wallet', 'address', '--network', path.join(home, 'dead.json')],
    code: 2,
    says: /not a private key/,
    key: '0x1234',
  },
  ...['00', 'ff'].map((byte) => ({
    args: () => ['wallet', 'address', '--network', path.join(home, 'dead.json')],
    code: 2,
    says: /^(?![\s\S]*(1157|got))[\s\S]*not a private key/,
    key: `0x${byte.repeat(32)}`,
  })),
  {
    args: () => ['wallet', 'address', '--network', path.join(home, 'dead.json')],
    code: 0,
    says: /^0x[0-9a-fA-F]{40}\n$/,
    key: demoKey,
  },
  {
    args: () => ['wallet', 'balance', '--network', path.join(home, 'dead.json')],
    code: 3,
    says: /does not answer/,
    key: demoKey,
  },
  {
    args: () => ['chat', 'hi', '--key', 'assay_mistyped', '--network', path.join(home, 'dead.json')],
    code: 2,
    says: /^(?![\s\S]*assay_mistyped)[\s\S]*not an API key/,
  },
  ...[['chat', 'hi'], ['proxy']].map((command) => ({
    args: () => [
      ...[...command, '--confidential', '--key', `assay_${'A'.repeat(43)}`],
      ...['--network', path.join(home, 'dead.json')],
    ],
    code: 2,
    says: /signed by its payer[\s\S]*without --key, and with ASSAY_API_KEY unset/,
  })),
  { args: () => ['wallet', 'grant'], code: 2, says: /assay wallet grant --help/ },
  { args: () => ['wallet', 'grant', 'show', '0x12'], code: 2, says: /64 hex digits/ },
  {
    args: () => ['wallet', 'grant', 'create', '--days', '0'],
    code: 2,
    says: /number of days, from 1 to 9999/,
  },
  { args: () => ['wallet', 'grant', 'create', '--days', '999999999999'], code: 2, says: /from 1 to 9999/ },
  ...(
    [
      [['--deposit', '2', '--max-total', '1'], /more than the grant may ever spend[\s\S]*--max-total/],
      [['--deposit', '0'], /pays for no call[\s\S]*--deposit above 0/],
      [['--deposit', '0', '--max-total', '0'], /pays for no call[\s\S]*--max-total above 0/],
      [['--max-per-call', '0'], /every call is refused[\s\S]*--max-per-call above 0/],
      [['--deposit', '0.5', '--max-per-call', '5.5'], /One call may not cost more[\s\S]*of at most 5, or/],
    ] as const
  ).map(([limits, says]) => ({
    // On a chain that does not answer: refused before it is asked.
    args: () => ['wallet', 'grant', 'create', ...limits, '--network', path.join(home, 'dead.json')],
    code: 2,
    says,
    key: demoKey,
  })),
  { args: () => ['wallet', 'grant', 'fund', `0x${'77'.repeat(32)}`, '0'], code: 2, says: /more than 0 OPG/ },
  { args: () => ['wallet'], code: 2, says: /assay wallet --help/ },
  { args: () => ['verify', 'hello'], code: 2, says: /neither a file/ },
  {
    args: () => ['verify', home, '--network', path.join(home, 'dead.json')],
    code: 2,
    says: /no proof bundle to read[\s\S]*EISDIR/,
  },
  { args: () => ['verify', hash], code: 3, says: /no network here yet/ },
  {
    args: () => ['verify', hash, '--network', path.join(home, 'dead.json')],
    code: 3,
    says: /does not answer/,
  },
  {
    args: () => ['verify', path.join(home, 'bundle.json'), '--network', path.join(home, 'dead.json')],
    code: 1,
    says: /no proof bundle[\s\S]*file: .*bundle\.json/,
  },
  {
    args: () => [
      ...['validator', 'record', 'export', '/no/such/folder/r.json', '--data', home],
      ...['--network', path.join(home, 'dead.json')],
    ],
    code: 2,
    says: /cannot be written/,
  },
  {
    args: () => [
      ...['validator', 'record', 'import', path.join(home, 'absent.json'), '--data', home],
      ...['--network', path.join(home, 'dead.json')],
    ],
    code: 2,
    says: /no signing record to read/,
  },
  { args: () => ['status'], code: 3, says: /no network here yet/ },
  { args: () => ['status', '--network', path.join(home, 'dead.json')], code: 3, says: /✗ chain/ },
  { args: () => ['down'], code: 0, says: /Nothing was running/ },
  { args: () => ['up', '--gateway-port', '70000'], code: 2, says: /port is a number/ },
  { args: () => ['up', '--gateway-port', '4041'], code: 2, says: /one port/ },
  { args: () => ['up', '--chain-id', 'x'], code: 2, says: /positive whole number/ },
  {
    args: () => ['up', '--chain-port', String(freePort), '--gateway-port', String(takenPort)],
    code: 1,
    says: /another program listens there[\s\S]*--gateway-port/,
  },
]

for (const [index, { args, code, says, key }] of cases.entries()) {
  test(`command line ${index + 1} ends with ${code} and says ${says}`, async () => {
    if (key === undefined) delete process.env.ASSAY_WALLET_KEY
    else process.env.ASSAY_WALLET_KEY = key
    const result = await runAssay(...args())
    assert.match(result.out + result.err, says, args().join(' '))
    assert.equal(result.code, code, result.out + result.err)
    // A user's mistake is never answered with a stack trace.
    assert.doesNotMatch(result.err, /^\s+at /m)
  })
}

/** What speaks another language than JSON on standard output, or JSON in any case. */
const WITHOUT_JSON = ['mcp', 'validator run']

/** Help of every command, by its verbs. */
async function allHelp(): Promise<Map<string, { out: string; isLeaf: boolean }>> {
  const found = new Map<string, { out: string; isLeaf: boolean }>()
  const waiting: string[][] = [[]]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const { code, out, err } = await runAssay(...at, '--help')
    assert.equal(code, 0, `${at.join(' ')}: ${err}`)
    const verbs = [...(out.split('\nCommands:\n')[1] ?? '').matchAll(/^ {2}([a-z-]+)/gm)].map(
      ([, verb]) => verb as string,
    )
    for (const verb of verbs) if (verb !== 'help') waiting.push([...at, verb])
    found.set(at.join(' '), { out, isLeaf: verbs.length === 0 })
  }
  return found
}

test('every command explains itself, and all but two of those that do something take --json', async () => {
  const commands = await allHelp()
  for (const [name, { out, isLeaf }] of commands)
    if (isLeaf) assert.equal(out.includes('--json'), !WITHOUT_JSON.includes(name), name)
  assert.ok(commands.size > 50, `${commands.size} commands were seen`)
})

test("the README's table has every command, and no option that its command does not have", async () => {
  const readme = readFileSync(path.join(import.meta.dirname, '../../../README.md'), 'utf8')
  const rows = readme.split('\n').filter((line) => line.startsWith('| `assay '))
  const commands = await allHelp()
  for (const [name, { isLeaf }] of commands) {
    const verbs = name.split(' ')
    const told = rows.filter((row) => verbs.every((verb) => new RegExp(`\\b${verb}\\b`).test(row)))
    assert.ok(!isLeaf || told.some((row) => row.includes(`assay ${verbs[0]}`)), `assay ${name} is in no row`)
  }
  for (const row of rows) {
    const verbs = [...row.matchAll(/`assay ([a-z]+)/g)].map(([, verb]) => verb as string)
    const help = [...commands].filter(([name]) => verbs.includes(name.split(' ')[0] as string))
    for (const [option] of row.matchAll(/--[a-z-]+/g))
      assert.ok(
        help.some(([, { out }]) => out.includes(`${option} `)),
        `${option}: ${row}`,
      )
  }
})

test('with --json a mistake is told in JSON, with the same exit code', async () => {
  const { code, out } = await runAssay('verify', 'hello', '--json')
  assert.equal(code, 2)
  assert.equal((JSON.parse(out) as { error: { code: string } }).error.code, 'not_verifiable')
})

test('a reader that has seen enough ends no command, and nobody sees a stack trace for it', async () => {
  const main = path.join(import.meta.dirname, '..', 'src', 'main.ts')
  for (const unread of ['stdout', 'stderr'] as const) {
    const args = unread === 'stdout' ? ['--help'] : ['verify', 'hello']
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    child[unread].destroy()
    const read = text(child[unread === 'stdout' ? 'stderr' : 'stdout'])
    const [code] = (await once(child, 'close')) as [number]
    assert.deepEqual([code, await read], [unread === 'stdout' ? 0 : 2, ''])
  }
})

test('^C before anything is paid says so', async (t) => {
  const asked = Promise.withResolvers<void>()
  // It takes the question what the call would cost, and never answers.
  const gateway = createServer(() => asked.resolve())
  await new Promise<void>((listening) => gateway.listen(0, '127.0.0.1', listening))
  t.after(() => {
    gateway.closeAllConnections()
    gateway.close()
  })
  const file = path.join(home, 'silent.json')
  const dead = JSON.parse(readFileSync(path.join(home, 'dead.json'), 'utf8')) as object
  const { port } = gateway.address() as AddressInfo
  writeFileSync(file, JSON.stringify({ ...dead, gatewayUrl: `http://127.0.0.1:${port}` }))
  const main = path.join(import.meta.dirname, '..', 'src', 'main.ts')
  const child = spawn(process.execPath, [main, 'chat', 'hi', '--network', file, '--json'], {
    env: { ...process.env, ASSAY_WALLET_KEY: demoKey },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const told = text(child.stdout)
  await Promise.race([asked.promise, ended])
  child.kill('SIGINT')
  const [code] = (await ended) as [number | null]
  assert.equal(code, 130)
  const { error } = JSON.parse(await told) as { error: { code: string; message: string } }
  assert.deepEqual([error.code, error.message], ['cancelled', 'Stopped before anything was paid.'])
})

test('what keeps the network from working may be its file: the doctor says so beside what else it finds', async () => {
  writeFileSync(path.join(home, 'network.json'), '{}')
  const { code, out } = await runAssay('doctor', '--json')
  rmSync(path.join(home, 'network.json'))
  assert.equal(code, 1, out)
  const { findings } = JSON.parse(out) as { findings: { name: string; outcome: string; detail: string }[] }
  const network = findings.find(({ name }) => name === 'network')
  assert.equal(network?.outcome, 'failed')
  assert.match(network?.detail ?? '', /not usable.*network\.json.*chainId/)
  assert.ok(findings.some(({ name }) => name === 'disk'))
})

test('the doctor looks at the port of every server, and says which of them is taken, and for whom', async () => {
  const base = await freePorts(4)
  const holder = createServer()
  // The second of three validators.
  await new Promise<void>((listening) => holder.listen(base + 2, '127.0.0.1', listening))
  const { port: chain } = taken.address() as AddressInfo
  const ports = { CHAIN: chain, GATEWAY: freePort, NODE: base, VALIDATOR: base + 1 }
  for (const [name, port] of Object.entries(ports)) process.env[`ASSAY_${name}_PORT`] = String(port)
  try {
    const { out } = await runAssay('doctor', '--json')
    const { findings } = JSON.parse(out) as {
      findings: { name: string; outcome: string; detail: string; next?: string }[]
    }
    const seen = findings.filter(({ name }) => name.startsWith('port '))
    assert.deepEqual(
      seen.map(({ name, outcome }) => `${name} ${outcome}`),
      [
        ...[`port ${chain} failed`, `port ${freePort} passed`, `port ${base} passed`],
        ...[`port ${base + 1} passed`, `port ${base + 2} failed`, `port ${base + 3} passed`],
      ],
    )
    assert.match(seen[4]?.detail ?? '', /another program listens there \(wanted by validator 2\)/)
    assert.equal(seen[4]?.next, 'assay up --validator-port <port>')
  } finally {
    for (const name of Object.keys(ports)) delete process.env[`ASSAY_${name}_PORT`]
    holder.close()
  }
})

test('a home whose network file cannot be used has no network that could be reached', async () => {
  for (const [wrong, says] of [
    ['{"accounts":{"demo":{"privateKey":"0xdeadbeef"', 'not JSON'],
    ['{}', 'chainId'],
  ] as const) {
    writeFileSync(path.join(home, 'network.json'), wrong)
    const { code, out } = await runAssay('verify', hash, '--json')
    rmSync(path.join(home, 'network.json'))
    assert.equal(code, 3, out)
    const { error } = JSON.parse(out) as { error: { code: string; facts: { reason: string }; next: string } }
    assert.equal(error.code, 'bad_network')
    assert.ok(error.facts.reason.includes(says) && error.next.includes('npm start'), out)
    // The file may hold the key of the demo account.
    assert.ok(!out.includes('deadbeef'))
  }
})

test('a folder that is none, or not to be written to, is said to be so by all that would make it', async () => {
  const given = process.env.ASSAY_HOME
  process.env.ASSAY_WALLET_KEY = demoKey
  const network = ['--network', path.join(home, 'dead.json')]
  for (const folder of [path.join(home, 'bundle.json'), '/proc/self']) {
    process.env.ASSAY_HOME = folder
    for (const command of [['up'], ['up', '--detach'], ['proxy', ...network], ['mcp', ...network]]) {
      const { code, err } = await runAssay(...command)
      assert.match(err, /cannot be made[\s\S]*ASSAY_HOME/, command.join(' '))
      assert.equal(code, 2)
    }
  }
  process.env.ASSAY_HOME = given
  delete process.env.ASSAY_WALLET_KEY
})

test("a proxy makes its folder where there is none: its network may be another's", async () => {
  const given = process.env.ASSAY_HOME
  process.env.ASSAY_HOME = path.join(home, 'not', 'yet')
  process.env.ASSAY_WALLET_KEY = demoKey
  // It goes as far as its port, which is taken.
  const { code, err } = await runAssay(
    ...['proxy', '--port', String(takenPort), '--network', path.join(home, 'dead.json')],
  )
  process.env.ASSAY_HOME = given
  delete process.env.ASSAY_WALLET_KEY
  assert.match(err, /Port [0-9]+ is taken/)
  assert.equal(code, 1)
})

test('a wrong key is never repeated', async () => {
  process.env.ASSAY_WALLET_KEY = '0xdeadbeef'
  const { out, err } = await runAssay('wallet', 'address', '--network', path.join(home, 'dead.json'))
  assert.ok(!(out + err).includes('deadbeef'))
  delete process.env.ASSAY_WALLET_KEY
})
