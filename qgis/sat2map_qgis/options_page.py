# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings > Options > sat2map: where the program is, and a button that installs it."""

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import QProcess, QProcessEnvironment
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QFormLayout, QGroupBox, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QVBoxLayout

from .process import environment, in_words
from .provider import ICON
from .settings import PACKAGE, PROGRAM_KEY, install_commands, own_folder, program, program_of, python


class OptionsPage(QgsOptionsPageWidget):
    """The page."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._program = QgsFileWidget()
        self._program.setFilePath(QgsSettings().value(PROGRAM_KEY, "", str))
        self._program.lineEdit().setPlaceholderText(program() or "not found")
        self._python, self._package = QLineEdit(python()), QLineEdit(PACKAGE)
        self._package.setToolTip("What pip takes: a name, an address, or the path of a wheel or of a checkout")
        self._will_run, self._output = QLabel(), QPlainTextEdit(readOnly=True)
        self._will_run.setWordWrap(True)
        self._install = QPushButton("Install into a virtual environment")
        self._process, self._commands = QProcess(self), []
        self._lay_out()
        for field in (self._python, self._package):
            field.textChanged.connect(self._say_what_will_run)
        self._install.clicked.connect(self.install)
        self._process.setProcessChannelMode(QProcess.MergedChannels)
        self._process.readyRead.connect(self._show_output)
        self._process.finished.connect(self._go_on)
        self._process.errorOccurred.connect(self._say_error)
        self._say_what_will_run()

    def _lay_out(self):
        chosen = QFormLayout()
        chosen.addRow("Program sat2map", self._program)
        form, group = QFormLayout(), QGroupBox("Install it")
        form.addRow("Python 3.11 or later", self._python)
        form.addRow("Package", self._package)
        form.addRow(
            QLabel("The button runs these two commands. They download packages, and leave those of QGIS alone:")
        )
        form.addRow(self._will_run)
        form.addRow(self._install)
        form.addRow(self._output)
        group.setLayout(form)
        page = QVBoxLayout(self)
        page.addLayout(chosen)
        page.addWidget(group)

    def _all_commands(self):
        return install_commands(self._python.text().strip(), self._package.text().strip())

    def _say_what_will_run(self):
        self._will_run.setText("\n".join(map(in_words, self._all_commands())))

    def install(self):
        """Run the commands that are shown."""
        self._install.setEnabled(False)
        self._output.clear()
        self._commands = self._all_commands()
        variables = QProcessEnvironment()
        for name, value in environment().items():
            variables.insert(name, value)
        self._process.setProcessEnvironment(variables)
        self._start_next()

    def _start_next(self):
        command = self._commands.pop(0)
        self._output.appendPlainText("> " + in_words(command))
        self._process.start(command[0], command[1:])

    def _show_output(self):
        text = bytes(self._process.readAll()).decode("utf-8", "replace")
        self._output.appendPlainText(text.rstrip())

    def _say_error(self, error):
        if error == QProcess.FailedToStart:
            self._output.appendPlainText(f"cannot be run: {self._process.program()}")
            self._install.setEnabled(True)

    def _go_on(self, status, _kind):
        if status == 0 and self._commands:
            self._start_next()
            return
        self._install.setEnabled(True)
        if status:
            self._output.appendPlainText(f"failed with status {status}; nothing of QGIS was changed")
            return
        self._output.appendPlainText("installed")
        self._program.setFilePath("")
        self._program.lineEdit().setPlaceholderText(str(program_of(own_folder())))

    def apply(self):
        """Keep what was chosen; QGIS calls this."""
        QgsSettings().setValue(PROGRAM_KEY, self._program.filePath())


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page."""

    def __init__(self):
        super().__init__()
        self.setTitle("sat2map")

    def icon(self):
        """Return the icon of the page."""
        return QIcon(str(ICON))

    def createWidget(self, parent):
        """Make the page."""
        return OptionsPage(parent)
