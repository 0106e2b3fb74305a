// Proves one run of a Noir program by UltraHonk (Barretenberg, native where it has a binary) and prints what it took as JSON.
//   node prove.mjs JOB.json   with {source, x, y, srs}: program, public input and output, a folder of the SRS in its format
import { existsSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { Barretenberg, UltraHonkBackend } from '@aztec/bb.js'
import { Noir } from '@noir-lang/noir_js'
import { compile, createFileManager } from '@noir-lang/noir_wasm'

const { source, x, y, srs } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
console.log = () => undefined
const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n
const element = (value) => `0x${(((BigInt(value) % R) + R) % R).toString(16)}`
const TICK_MS = 10

/** Processor milliseconds of this process's children so far, which do the proving; undefined where /proc does not say. */
function childrenMs() {
  const list = `/proc/${process.pid}/task/${process.pid}/children`
  if (!existsSync(list)) return undefined
  const pids = readFileSync(list, 'utf8').trim().split(' ')
  const ticks = pids.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')
    return Number(fields[11]) + Number(fields[12])
  })
  return TICK_MS * ticks.reduce((a, b) => a + b, 0)
}

async function timed(work) {
  const [start, used] = [performance.now(), childrenMs()]
  const value = await work()
  return { value, clock: performance.now() - start, processor: childrenMs() - used }
}

const files = createFileManager('/')
const write = (name, text) => files.writeFile(name, new Response(text).body)
await write('Nargo.toml', '[package]\nname = "bench"\ntype = "bin"\nauthors = [""]\n[dependencies]\n')
await write('src/main.nr', source)
const compiled = await timed(() => compile(files))
const { program } = compiled.value
const { witness } = await new Noir(program).execute({ x: x.map(element), y: y.map(element) })
process.env.CRS_PATH = srs
/** Its native process is given a few seconds to open its socket, which a busy machine may not grant. */
async function start(tries) {
  const options = { threads: cpus().length, crsPath: srs }
  return Barretenberg.new(options).catch((error) => {
    if (tries === 1) throw error
    return start(tries - 1)
  })
}
const api = await start(5)
const backend = new UltraHonkBackend(program.bytecode, api)
// As a contract on a chain would check it, and without hiding anything: the cheapest of its settings.
const settings = { verifierTarget: 'evm-no-zk' }
const proved = await timed(() => backend.generateProof(witness, settings))
const verified = await timed(() => backend.verifyProof(proved.value, settings))
await api.destroy()
const cost = ({ clock, processor }) => ({ clock, processor })
const result = {
  compile: compiled.clock,
  prove: cost(proved),
  verify: cost(verified),
  bytes: proved.value.proof.length,
  verified: verified.value,
}
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit(0)
