//! The next token: example MODEL WEIGHTS ID… compiles a causal language model and prints the likeliest id after these, and
//! what it writes behind them. example.c in Rust, on bindings that bindgen makes of reformerc.h:
//!
//!     bindgen reformerc.h --with-derive-default --no-layout-tests --allowlist-function 'reformerc_.*' -o bindings.rs
//!     BINDINGS=bindings.rs rustc -O example.rs -L … -l reformerc

use std::ffi::{CStr, CString};
use std::mem::size_of;
use std::os::raw::c_char;
use std::ptr;

#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
mod c {
    include!(env!("BINDINGS"));
}

/// What a code says, and what the library says more.
fn check(code: i32, message: *const c_char) -> Result<(), String> {
    if code == 0 {
        return Ok(());
    }
    let text = if message.is_null() { unsafe { c::reformerc_strerror(code) } } else { message };
    Err(format!("{}: {}", code, unsafe { CStr::from_ptr(text) }.to_string_lossy()))
}

/// Freed when it goes; contexts borrow it, so none outlives it.
struct Model(*mut c::reformerc_model_t);

impl Model {
    fn compile(spec: &str, weights: &str) -> Result<Model, String> {
        let (spec, weights) = (CString::new(spec).unwrap(), CString::new(weights).unwrap());
        let options = c::reformerc_options_t { size: size_of::<c::reformerc_options_t>() as _, weights: weights.as_ptr(), decode: 1, ..Default::default() };
        let (mut model, mut message) = (ptr::null_mut(), ptr::null_mut());
        let code = unsafe {
            c::reformerc_compile(&mut model, spec.as_ptr(), ptr::null(), &options, &mut message)
        };
        let said = check(code, message);
        unsafe { free(message) };
        said.map(|_| Model(model))
    }

    fn vocab(&self) -> usize {
        let mut info = c::reformerc_info_t { size: size_of::<c::reformerc_info_t>() as _, ..Default::default() };
        unsafe { c::reformerc_info(self.0, &mut info) };
        info.vocab as usize
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { c::reformerc_free(self.0) }
    }
}

extern "C" {
    fn free(memory: *mut c_char);
}

/// One call at a time; a Context per thread.
struct Context<'a>(*mut c::reformerc_context_t, &'a Model);

impl<'a> Context<'a> {
    fn new(model: &'a Model, threads: i32) -> Result<Context<'a>, String> {
        let mut context = ptr::null_mut();
        check(unsafe { c::reformerc_context_new(&mut context, model.0, threads) }, ptr::null())?;
        Ok(Context(context, model))
    }

    fn check(&self, code: i32) -> Result<(), String> {
        check(code, unsafe { c::reformerc_context_message(self.0) })
    }

    /// Logits [length][vocab] of one row.
    fn forward(&mut self, ids: &[i32]) -> Result<Vec<f32>, String> {
        let mut logits = vec![0.0; ids.len() * self.1.vocab()];
        let io = c::reformer_io_t {
            size: size_of::<c::reformer_io_t>() as _,
            input_ids: ids.as_ptr(),
            batch: 1,
            length: ids.len() as _,
            logits: logits.as_mut_ptr(),
            ..Default::default()
        };
        self.check(unsafe { c::reformerc_forward(self.0, &io) })?;
        Ok(logits)
    }

    /// What follows the ids, greedily.
    fn generate(&mut self, ids: &[i32], most: usize) -> Result<Vec<i32>, String> {
        let mut cache = ptr::null_mut();
        let room = (ids.len() + most) as _;
        self.check(unsafe { c::reformerc_cache_new(&mut cache, self.0, room, ids.len() as _) })?;
        let mut tokens = vec![0; most];
        let request = c::reformer_generate_t {
            size: size_of::<c::reformer_generate_t>() as _,
            input_ids: ids.as_ptr(),
            batch: 1,
            length: ids.len() as _,
            max_tokens: most as _,
            tokens: tokens.as_mut_ptr(),
            ..Default::default()
        };
        let said = self.check(unsafe { c::reformerc_generate(cache, &request) });
        unsafe { c::reformerc_cache_free(cache) };
        said.map(|_| tokens)
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        unsafe { c::reformerc_context_free(self.0) }
    }
}

fn run(spec: &str, weights: &str, ids: &[i32]) -> Result<(), String> {
    let model = Model::compile(spec, weights)?;
    let mut context = Context::new(&model, 2)?;
    let logits = context.forward(ids)?;
    let last = &logits[logits.len() - model.vocab()..];
    let best = (0..last.len()).fold(0, |best, k| if last[k] > last[best] { k } else { best });
    println!("{}", best);
    let tokens = context.generate(ids, 8)?;
    println!("{} ", tokens.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(" "));
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 4 {
        eprintln!("usage: example MODEL WEIGHTS ID...");
        std::process::exit(2);
    }
    let ids: Vec<i32> = arguments[3..].iter().map(|id| id.parse().expect("an id")).collect();
    if let Err(said) = run(&arguments[1], &arguments[2], &ids) {
        eprintln!("{}", said);
        std::process::exit(1);
    }
}
