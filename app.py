"""What `streamlit run app.py` serves; nothing else."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui import incidents, session, web

if get_script_run_ctx(suppress_warning=True) is not None:
    from ui.main import main

    main()
else:
    incidents.silence_streamlit()
    parts = session.web_parts()
    app = st.App(
        Path(__file__).parent / "ui" / "main.py",
        middleware=[Middleware(web.Gate, parts=parts)],
        routes=web.routes(parts),
        lifespan=web.lifespan(parts),
        on_script_error=incidents.report,
    )
