#compdef liveos

_liveos_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _LIVEOS_COMPLETE=complete_zsh liveos)
}

compdef _liveos_completion liveos
