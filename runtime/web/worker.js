// The model in a thread of its own. In: {write: options} and {stop: true}; out: {ready}, {text}, {done}, {error}.
//
// It writes for a few hundredths of a second, tells the page what came, and looks for messages before it goes on.
import { Reformer, Decoder } from "./reformer.js";

const SLICE = 30; // milliseconds

let model = null;
let job = 0; // the newest; older ones end

async function bytesOf(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    return response.arrayBuffer();
}

async function load() {
    const [module, weights] = await Promise.all([bytesOf("model.wasm"), bytesOf("model.weights")]);
    model = await Reformer.load(module, weights);
    postMessage({
        ready: {
            moduleBytes: module.byteLength,
            weightsBytes: weights.byteLength,
            positions: model.positions,
        },
    });
}

const breathe = () => new Promise((resume) => setTimeout(resume, 0));

function slice(decoder, until) {
    const ids = [];
    for (let id; performance.now() < until && (id = model.next()) !== null;) ids.push(id);
    return { n: ids.length, text: decoder.decode(ids) };
}

async function write(options) {
    const own = ++job;
    const decoder = new Decoder();
    let started = performance.now();
    model.begin(model.encode(options.prompt), options);
    const promptSeconds = (performance.now() - started) / 1000;
    let tokens = 0;
    let busy = 0; // of writing: neither the prompt nor messages
    while (own === job && tokens < options.tokens) {
        started = performance.now();
        const { n, text } = slice(decoder, started + SLICE);
        busy += performance.now() - started;
        tokens += n;
        postMessage({ text, tokens, seconds: busy / 1000 });
        await breathe();
    }
    if (own !== job) return;
    postMessage({ text: decoder.end(), tokens, seconds: busy / 1000, promptSeconds, done: true });
}

function stop() {
    job++;
    postMessage({ text: "", stopped: true, done: true });
}

const report = (error) => postMessage({ error: String(error.message || error) });

onmessage = ({ data }) => {
    if (data.stop) stop();
    else write(data.write).catch(report);
};
load().catch(report);
